//! The errors of the library: what Rust code returns, what a script catches, what the worker reads of a raised value.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::Path;
use std::{fmt, io};

use mlua::{Lua, Table, Value};

use super::module::Shim;

/// What the error is about; each kind is a field of its own in Lua.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// A file or folder.
    Path(String),
    /// Where a request went.
    Url(String),
    /// The command that ran.
    Cmd(String),
}

/// An error of a library function. In Lua it is a table with these fields and the metatable `mpms.error`.
#[derive(Debug, Clone)]
pub struct LibError {
    facts: Box<Facts>,
    /// A value that a callback of the script raised: passed on as it is.
    raised: Option<Box<Value>>,
}

/// An error on its way from a thread without Lua.
#[derive(Debug)]
pub struct Carried(Box<Facts>);

#[derive(Debug, Clone)]
struct Facts {
    code: Cow<'static, str>,
    message: String,
    retryable: bool,
    op: Option<Cow<'static, str>>,
    subject: Option<Subject>,
    status: Option<u16>,
    retry_after: Option<f64>,
    cause: Option<String>,
    stderr: Option<Vec<u8>>,
}

impl LibError {
    /// An error that a repetition does not cure. `code` is one of the public codes.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let facts = Facts {
            code: code.into(),
            message: message.into(),
            retryable: false,
            op: None,
            subject: None,
            status: None,
            retry_after: None,
            cause: None,
            stderr: None,
        };
        Self { facts: Box::new(facts), raised: None }
    }

    /// A wrong argument or option.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new("invalid", message)
    }

    /// A text that does not follow its format.
    pub fn parse(message: impl Into<String>) -> Self {
        Self::new("parse", message)
    }

    /// A wait that took too long; worth a retry.
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new("timeout", message).retryable(true)
    }

    /// A value that Lua code raised, to be raised again as the same object.
    pub fn raised(value: Value) -> Self {
        let mut error = Self::new("lua_error", "");
        error.raised = Some(Box::new(value));
        error
    }

    /// A failed operation on `path`.
    pub fn file(error: &io::Error, path: impl AsRef<Path>) -> Self {
        Self::from(error).path(path)
    }

    /// Whether the same call may work later.
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.facts.retryable = retryable;
        self
    }

    /// The function that failed, unless one is named already.
    pub fn op(mut self, op: impl Into<Cow<'static, str>>) -> Self {
        self.facts.op.get_or_insert_with(|| op.into());
        self
    }

    /// The file or folder that it is about, unless something is named already.
    pub fn path(mut self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        self.facts.subject.get_or_insert_with(|| Subject::Path(path.to_string_lossy().into_owned()));
        self
    }

    /// The address that it is about, unless something is named already.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.facts.subject.get_or_insert_with(|| Subject::Url(url.into()));
        self
    }

    /// The command that it is about, unless something is named already.
    pub fn cmd(mut self, cmd: impl Into<String>) -> Self {
        self.facts.subject.get_or_insert_with(|| Subject::Cmd(cmd.into()));
        self
    }

    /// The status of an HTTP reply.
    pub fn status(mut self, status: u16) -> Self {
        self.facts.status = Some(status);
        self
    }

    /// Seconds that the other side asks to wait.
    pub fn retry_after(mut self, seconds: Option<f64>) -> Self {
        self.facts.retry_after = seconds;
        self
    }

    /// The error below this one.
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.facts.cause = Some(cause.into());
        self
    }

    /// The last that a command said on its standard error.
    pub fn stderr(mut self, stderr: Vec<u8>) -> Self {
        self.facts.stderr = Some(stderr);
        self
    }

    /// Without what only Lua's thread may hold: work without Lua raises nothing of a script's.
    pub fn carry(self) -> Carried {
        Carried(self.facts)
    }

    /// The public code.
    pub fn code(&self) -> &str {
        &self.facts.code
    }

    /// Whether the same call may work later.
    pub fn is_retryable(&self) -> bool {
        self.facts.retryable
    }

    /// The text without operation and subject.
    pub fn message(&self) -> &str {
        &self.facts.message
    }

    /// The value to raise. A callback's own error stays the same object; else it is a new table, with `at` set to the
    /// line of the script that called.
    ///
    /// # Errors
    /// When Lua has no memory left.
    pub fn into_value(self, lua: &Lua) -> mlua::Result<Value> {
        if let Some(value) = self.raised {
            return Ok(*value);
        }
        let parts = *self.facts;
        let table = lua.create_table_with_capacity(0, 8)?;
        table.raw_set("code", &*parts.code)?;
        table.raw_set("message", parts.message)?;
        table.raw_set("retryable", parts.retryable)?;
        if let Some(op) = parts.op {
            table.raw_set("op", &*op)?;
        }
        match parts.subject {
            Some(Subject::Path(path)) => table.raw_set("path", path)?,
            Some(Subject::Url(url)) => table.raw_set("url", url)?,
            Some(Subject::Cmd(cmd)) => table.raw_set("cmd", cmd)?,
            None => {}
        }
        if let Some(status) = parts.status {
            table.raw_set("status", status)?;
        }
        if let Some(seconds) = parts.retry_after {
            table.raw_set("retry_after", seconds)?;
        }
        if let Some(cause) = parts.cause {
            table.raw_set("cause", cause)?;
        }
        if let Some(stderr) = parts.stderr {
            table.raw_set("stderr", lua.create_string(stderr)?)?;
        }
        if let Some(place) = caller(lua) {
            table.raw_set("at", place)?;
        }
        table.set_metatable(Some(Shim::of(lua)?.error_metatable.clone()))?;
        Ok(Value::Table(table))
    }
}

/// `file:line` of the innermost frame that is not the library's own.
fn caller(lua: &Lua) -> Option<String> {
    for level in 1..16 {
        let place = lua.inspect_stack(level, |frame| {
            let source = frame.source();
            let own = source.what == "C" || source.source.as_deref() == Some("=mpms");
            let line = frame.current_line()?;
            (!own).then(|| format!("{}:{line}", source.short_src.as_deref().unwrap_or("?")))
        })?;
        if place.is_some() {
            return place;
        }
    }
    None
}

impl fmt::Display for LibError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &*self.facts;
        let subject = parts.subject.as_ref().map(|subject| match subject {
            Subject::Path(text) | Subject::Url(text) | Subject::Cmd(text) => text,
        });
        match (&parts.op, subject) {
            (Some(op), Some(subject)) => write!(f, "{op} {subject}: {}", parts.message),
            (Some(one), None) => write!(f, "{one}: {}", parts.message),
            (None, Some(one)) => write!(f, "{one}: {}", parts.message),
            (None, None) => f.write_str(&parts.message),
        }
    }
}

impl std::error::Error for LibError {}

impl From<&io::Error> for LibError {
    fn from(error: &io::Error) -> Self {
        use ErrorKind as K;
        let (code, retryable) = match error.kind() {
            K::NotFound => ("not_found", false),
            K::AlreadyExists => ("exists", false),
            K::PermissionDenied | K::ReadOnlyFilesystem => ("permission", false),
            K::StorageFull | K::QuotaExceeded | K::FileTooLarge => ("no_space", true),
            K::TimedOut => ("timeout", true),
            K::ConnectionRefused
            | K::ConnectionReset
            | K::ConnectionAborted
            | K::HostUnreachable
            | K::NetworkUnreachable
            | K::NetworkDown
            | K::NotConnected
            | K::BrokenPipe => ("connect", true),
            K::AddrInUse | K::ResourceBusy | K::WouldBlock | K::ExecutableFileBusy | K::Deadlock => {
                ("busy", true)
            }
            K::InvalidInput | K::InvalidFilename => ("invalid", false),
            K::IsADirectory => ("is_directory", false),
            K::NotADirectory => ("not_directory", false),
            K::DirectoryNotEmpty => ("not_empty", false),
            K::OutOfMemory => ("memory", false),
            _ => ("io", true),
        };
        Self::new(code, plain(error)).retryable(retryable)
    }
}

impl From<Carried> for LibError {
    fn from(carried: Carried) -> Self {
        Self { facts: carried.0, raised: None }
    }
}

impl From<io::Error> for LibError {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

/// The system's text in our style: lower case, without the number of the error.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

impl From<mlua::Error> for LibError {
    fn from(error: mlua::Error) -> Self {
        if let Some(own) = error.downcast_ref::<Self>() {
            return own.clone();
        }
        if let Some(below) = error.downcast_ref::<io::Error>() {
            return Self::from(below);
        }
        match &error {
            mlua::Error::CallbackError { cause, .. } | mlua::Error::WithContext { cause, .. } => {
                Self::from((**cause).clone())
            }
            mlua::Error::MemoryError(_) => Self::new("memory", "not enough memory"),
            mlua::Error::BadArgument { .. } | mlua::Error::FromLuaConversionError { .. } => {
                Self::invalid(expectation(&error))
            }
            mlua::Error::RuntimeError(text) => Self::new("lua_error", text.clone()).retryable(true),
            mlua::Error::SyntaxError { message, .. } => Self::parse(message.clone()),
            mlua::Error::UserDataTypeMismatch => Self::invalid("the object is of another kind"),
            mlua::Error::UserDataDestructed => Self::invalid("the object is closed"),
            mlua::Error::UserDataBorrowError | mlua::Error::UserDataBorrowMutError => {
                Self::new("busy", "the object is in use by a call that has not returned")
            }
            other => Self::new("lua_error", other.to_string()).retryable(true),
        }
    }
}

/// "must be a string, got nil" of a failed conversion.
pub(super) fn expectation(error: &mlua::Error) -> String {
    match error {
        mlua::Error::BadArgument { cause, .. } => expectation(cause),
        mlua::Error::FromLuaConversionError { from, to, message } => {
            let wanted = match to.as_str() {
                "String" | "LuaString" | "str" | "BString" | "&str" | "string" => "a string",
                "Table" | "table" => "a table",
                "Function" | "function" => "a function",
                "f64" | "f32" | "number" => "a number",
                "bool" | "boolean" => "a boolean",
                "i64" | "i32" | "u64" | "u32" | "u16" | "u8" | "usize" | "isize" | "integer" => "an integer",
                other => other,
            };
            match message {
                Some(detail) if *from == "number" || *from == "integer" => {
                    format!("must be {wanted}: {detail}")
                }
                _ => format!("must be {wanted}, got {from}"),
            }
        }
        mlua::Error::UserDataTypeMismatch => "is an object of another kind".to_owned(),
        other => other.to_string(),
    }
}

/// What the worker, the handler and the reports know of a value that a script raised.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Raised {
    /// `lua_error` for a plain string.
    pub code: String,
    /// What a person reads: with operation and subject, as `tostring` gives it.
    pub message: String,
    /// Whether a retry may help; true for a plain `error("...")`.
    pub retryable: bool,
    /// The function of the library that failed.
    pub op: Option<String>,
    /// The address of the request.
    pub url: Option<String>,
    /// The file or folder.
    pub path: Option<String>,
    /// The command.
    pub cmd: Option<String>,
    /// The status of an HTTP reply.
    pub status: Option<u16>,
    /// Seconds that the other side asks to wait.
    pub retry_after: Option<f64>,
    /// The error below.
    pub cause: Option<String>,
    /// `file:line` of the call, where it is known apart from the message.
    pub at: Option<String>,
}

/// Reads any raised value: an error of the library, a table of the script's own (`code`, `message`, `retryable` are
/// taken when they are there), a string, an error of the Lua bridge.
pub fn describe(value: &Value) -> Raised {
    match value {
        Value::Table(table) => describe_table(table),
        Value::Error(error) => describe_error(&LibError::from((**error).clone())),
        Value::Nil => lua_error("nil was raised".to_owned()),
        Value::String(text) if text.as_bytes().as_ref() == b"not enough memory" => {
            Raised { code: "memory".to_owned(), message: "not enough memory".to_owned(), ..Raised::default() }
        }
        Value::String(text) => lua_error(text.to_string_lossy()),
        other => lua_error(text_of(other)),
    }
}

/// The same for an error that reached Rust.
pub fn describe_error(error: &LibError) -> Raised {
    let parts = &*error.facts;
    if let Some(value) = &error.raised {
        return describe(value);
    }
    let pick = |wanted: fn(&Subject) -> Option<&String>| parts.subject.as_ref().and_then(wanted).cloned();
    Raised {
        code: parts.code.to_string(),
        message: error.to_string(),
        retryable: parts.retryable,
        op: parts.op.as_deref().map(str::to_owned),
        url: pick(|s| if let Subject::Url(text) = s { Some(text) } else { None }),
        path: pick(|s| if let Subject::Path(text) = s { Some(text) } else { None }),
        cmd: pick(|s| if let Subject::Cmd(text) = s { Some(text) } else { None }),
        status: parts.status,
        retry_after: parts.retry_after,
        cause: parts.cause.clone(),
        at: None,
    }
}

fn lua_error(message: String) -> Raised {
    Raised { code: "lua_error".to_owned(), message, retryable: true, ..Raised::default() }
}

fn text_of(value: &Value) -> String {
    value.to_string().unwrap_or_else(|_| format!("a {} was raised", value.type_name()))
}

fn describe_table(table: &Table) -> Raised {
    let text = |key: &str| match table.raw_get::<Value>(key) {
        Ok(Value::String(text)) => Some(text.to_string_lossy()),
        _ => None,
    };
    let number = |key: &str| match table.raw_get::<Value>(key) {
        Ok(value) => value.as_number().or_else(|| value.as_integer().map(|n| n as f64)),
        Err(_) => None,
    };
    let has_text = table.metatable().is_some_and(|meta| meta.contains_key("__tostring").unwrap_or(false));
    let message = if has_text {
        text_of(&Value::Table(table.clone()))
    } else {
        text("message").unwrap_or_else(|| "a table without a `message` was raised".to_owned())
    };
    Raised {
        code: text("code").unwrap_or_else(|| "lua_error".to_owned()),
        message,
        retryable: !matches!(table.raw_get::<Value>("retryable"), Ok(Value::Boolean(false))),
        op: text("op"),
        url: text("url"),
        path: text("path"),
        cmd: text("cmd"),
        status: number("status").filter(|n| (0.0..=999.0).contains(n)).map(|n| n as u16),
        retry_after: number("retry_after").filter(|n| n.is_finite() && *n >= 0.0),
        cause: match table.raw_get::<Value>("cause") {
            Ok(Value::Nil) | Err(_) => None,
            Ok(value) => Some(text_of(&value)),
        },
        at: text("at"),
    }
}

#[cfg(test)]
mod tests {
    use mlua::{Lua, Value};

    use super::{Raised, describe};
    use crate::lua::std::testing::{fails, run, state};

    #[test]
    fn every_raised_value_is_described() {
        let lua = state();
        let e = fails(&lua, "error('boom', 0)");
        assert_eq!((e.code.as_str(), e.message.as_str(), e.retryable), ("lua_error", "boom", true));
        assert_eq!(fails(&lua, "error()").message, "nil was raised");
        assert_eq!(fails(&lua, "error(42)").message, "42");
        let e = fails(
            &lua,
            "error { code = 'mine', message = 'no', retryable = false, status = 7, retry_after = 1.5 }",
        );
        assert_eq!((e.code.as_str(), e.message.as_str(), e.retryable), ("mine", "no", false));
        assert_eq!((e.status, e.retry_after), (Some(7), Some(1.5)));
        assert_eq!(fails(&lua, "error {}").code, "lua_error");
        assert_eq!(
            fails(&lua, "error(setmetatable({}, { __tostring = function() return 'shown' end }))").message,
            "shown"
        );
        let e = fails(
            &lua,
            "error(setmetatable({ message = 'x' }, { __tostring = function() error 'again' end }))",
        );
        assert_eq!(e.message, "a table was raised");
        assert!(fails(&lua, "local x = nil; return x.y").message.contains("attempt to index a nil value"));
        let e = fails(&lua, "\n mpms.fs.read '/none'");
        assert_eq!((e.at.as_deref(), e.path.as_deref()), (Some("test:2"), Some("/none")));
    }

    #[test]
    fn a_lack_of_memory_has_its_code() {
        let lua = state();
        lua.set_memory_limit(lua.used_memory() + (1 << 20)).expect("set");
        assert_eq!(fails(&lua, "return ('x'):rep(4 << 20)").code, "memory");
        assert_eq!(
            fails(&lua, "local t = mpms.json.decode('[' .. ('1,'):rep(200000) .. '1]') return t").code,
            "memory"
        );
        let bare = Lua::new();
        let error: mlua::Error = bare.load("return ('x'):bad()").exec().expect_err("fails");
        assert_eq!(describe(&Value::Error(Box::new(error))).code, "lua_error");
        assert_eq!(Raised::default().code, "");
    }

    #[test]
    fn an_error_is_a_plain_table_with_a_text() {
        let lua = state();
        let ok: bool = run(
            &lua,
            "local _, e = try(mpms.fs.read, '/none')
             local keys = {} for k in pairs(e) do keys[#keys + 1] = k end table.sort(keys)
             assert(table.concat(keys, ' ') == 'at code message op path retryable', table.concat(keys, ' '))
             local ok, same = pcall(error, e) assert(not ok and same == e)
             return 'x ' .. e == 'x ' .. tostring(e) and e .. '' == tostring(e)",
        );
        assert!(ok);
    }
}
