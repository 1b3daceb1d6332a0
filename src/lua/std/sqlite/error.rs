//! What SQLite says, as errors of the library.

use std::fs::OpenOptions;
use std::path::Path;

use rusqlite::{Error, ErrorCode, ffi};

use crate::lua::error::LibError;
use crate::lua::std::runtime;
use crate::os;

/// An error of a statement that is prepared, or of several: without a better reason the text is wrong.
pub(super) fn of_text(error: &Error) -> LibError {
    let told = of(error);
    match (told.code(), error.sqlite_error_code()) {
        ("invalid", Some(ErrorCode::Unknown)) => LibError::parse(told.message()),
        _ => told,
    }
}

/// An error of a statement. The `cause` of one that SQLite numbers is the name of its extended code.
pub(super) fn of(error: &Error) -> LibError {
    match error {
        Error::SqlInputError { error, msg, sql, offset } => {
            let plain = by_code(error, msg);
            if plain.code() != "invalid" {
                return plain.cause(name(error));
            }
            LibError::parse(format!("{msg}{}", position(sql, *offset))).cause(name(error))
        }
        Error::SqliteFailure(error, message) => {
            let text = message.clone().unwrap_or_else(|| error.to_string());
            by_code(error, &text).cause(name(error))
        }
        Error::MultipleStatement => {
            LibError::invalid("more than one statement: use db:script for several, without parameters")
        }
        other => LibError::invalid(other.to_string()),
    }
}

fn by_code(error: &ffi::Error, text: &str) -> LibError {
    use ErrorCode as C;
    match error.code {
        C::DatabaseBusy | C::DatabaseLocked | C::FileLockingProtocolFailed | C::SchemaChanged => {
            LibError::new("busy", format!("{text}: another process or connection has it")).retryable(true)
        }
        C::ConstraintViolation => LibError::new("constraint", text),
        C::DiskFull => LibError::new("no_space", "the disk is full").retryable(true),
        C::DatabaseCorrupt | C::NotADatabase => LibError::new("corrupt", text),
        C::ReadOnly | C::PermissionDenied | C::AuthorizationForStatementDenied => {
            LibError::new("permission", text)
        }
        C::OperationInterrupted | C::OperationAborted => runtime::cancelled(),
        C::TooBig => LibError::new("too_large", text),
        C::OutOfMemory => LibError::new("memory", "not enough memory"),
        C::SystemIoFailure | C::CannotOpen => LibError::new("io", text).retryable(true),
        _ => LibError::invalid(text),
    }
}

/// An I/O error says no reason; a full disk, a missing folder and missing rights can be told by looking.
pub(super) fn at(error: LibError, path: &Path, readonly: bool) -> LibError {
    if error.code() != "io" {
        return error.path(path);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if os::disk::is_full(folder) {
        return LibError::new("no_space", "the disk is full").retryable(true).path(path);
    }
    if path.is_dir() {
        return LibError::new("is_directory", "is a directory").path(path);
    }
    match OpenOptions::new().read(true).write(!readonly).open(path) {
        // a missing file could be made, unless its folder is missing too
        Err(reason) if path.exists() || readonly || !folder.exists() => LibError::file(&reason, path),
        Err(_) => LibError::new("permission", "the file cannot be made in its folder").path(path),
        Ok(_) => error.path(path),
    }
}

/// `SQLITE_CONSTRAINT_UNIQUE` and the like, for the codes that scripts may want to tell apart.
fn name(error: &ffi::Error) -> String {
    let known = match error.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE => "SQLITE_CONSTRAINT_UNIQUE",
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY => "SQLITE_CONSTRAINT_PRIMARYKEY",
        ffi::SQLITE_CONSTRAINT_NOTNULL => "SQLITE_CONSTRAINT_NOTNULL",
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => "SQLITE_CONSTRAINT_FOREIGNKEY",
        ffi::SQLITE_CONSTRAINT_CHECK => "SQLITE_CONSTRAINT_CHECK",
        ffi::SQLITE_CONSTRAINT_TRIGGER => "SQLITE_CONSTRAINT_TRIGGER",
        ffi::SQLITE_CONSTRAINT_ROWID => "SQLITE_CONSTRAINT_ROWID",
        ffi::SQLITE_CONSTRAINT_DATATYPE => "SQLITE_CONSTRAINT_DATATYPE",
        ffi::SQLITE_BUSY_SNAPSHOT => "SQLITE_BUSY_SNAPSHOT",
        ffi::SQLITE_BUSY_RECOVERY => "SQLITE_BUSY_RECOVERY",
        other => return format!("SQLite code {other}"),
    };
    known.to_owned()
}

/// Where in the statement, as ` (line 2, column 8: near `nme = 1`)`.
fn position(sql: &str, offset: i32) -> String {
    let Some((before, after)) = usize::try_from(offset).ok().and_then(|at| sql.split_at_checked(at)) else {
        return String::new();
    };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    let near: String = after.lines().next().unwrap_or_default().chars().take(24).collect();
    match near.is_empty() {
        true => format!(" (line {line}, column {column}: at the end)"),
        false => format!(" (line {line}, column {column}: near `{near}`)"),
    }
}
