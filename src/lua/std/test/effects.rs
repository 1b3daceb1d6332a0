//! What came of a role, as a spec sees it.

use mlua::{Lua, Table};

use super::play::Played;
use crate::lua::error::LibError;
use crate::lua::module::Shim;
use crate::lua::state::{decoded, decoded_list};
use crate::lua::std::log::Level;
use crate::model::Failure;
use crate::model::task::TaskOptions;

/// The tasks that it put: arguments, and options by their names.
///
/// # Errors
/// When Lua has no memory left; so do all.
pub fn puts(lua: &Lua, played: &Played) -> Result<Table, LibError> {
    let list = lua.create_table()?;
    for (args, options) in &played.puts {
        let put = decoded_list(lua, args)?;
        if let Some(TaskOptions { key, priority, delay_ns, .. }) = options {
            put.raw_set("key", key.as_deref().map(|key| lua.create_string(key)).transpose()?)?;
            if *priority != 0 {
                put.raw_set("priority", *priority)?;
            }
            if *delay_ns != 0 {
                put.raw_set("delay", *delay_ns as f64 / 1e9)?;
            }
        }
        list.raw_push(put)?;
    }
    if played.more {
        list.raw_set("more", true)?;
    }
    Ok(list)
}

/// The rows that it emitted.
pub fn rows(lua: &Lua, played: &Played) -> Result<Table, LibError> {
    let list = lua.create_table()?;
    for row in &played.rows {
        list.raw_push(decoded(lua, row)?)?;
    }
    Ok(list)
}

/// What the attempt did besides returning.
pub fn effects(lua: &Lua, played: &Played) -> Result<Table, LibError> {
    let table = lua.create_table()?;
    table.raw_set("puts", puts(lua, played)?)?;
    table.raw_set("emits", rows(lua, played)?)?;
    let logs = lua.create_table()?;
    for line in &played.lines {
        let log = lua.create_table()?;
        log.raw_set("level", level_name(line.level))?;
        log.raw_set("text", line.text.as_str())?;
        let fields = lua.create_table()?;
        for (name, text) in &line.fields {
            fields.raw_set(name.as_str(), text.as_str())?;
        }
        log.raw_set("fields", fields)?;
        logs.raw_push(log)?;
    }
    table.raw_set("logs", logs)?;
    let progress = lua.create_table()?;
    for (done, total, message) in &played.progress {
        let one = lua.create_table()?;
        one.raw_set("done", *done)?;
        one.raw_set("total", *total)?;
        one.raw_set("message", message.as_deref())?;
        progress.raw_push(one)?;
    }
    table.raw_set("progress", progress)?;
    table.raw_set("died", played.died.as_deref())?;
    if let Some(saved) = &played.saved {
        table.raw_set("saved", decoded(lua, saved)?)?;
    }
    table.raw_set("cancels", lua.create_sequence_from(played.cancels.iter().map(String::as_str))?)?;
    let retries = lua.create_table()?;
    if let Some(failure) = &played.failure {
        set_ending(lua, &table, &retries, played.skipped, failure)?;
    }
    table.raw_set("retries", retries)?;
    Ok(table)
}

fn set_ending(
    lua: &Lua,
    table: &Table,
    retries: &Table,
    skipped: bool,
    failure: &Failure,
) -> Result<(), LibError> {
    let verb = match failure {
        _ if skipped => Some("skip"),
        Failure { asked: true, .. } => Some("retry"),
        Failure { abort: true, .. } => Some("abort"),
        Failure { code, .. } if code == "failed" => Some("fail"),
        _ => None,
    };
    let after = failure.after_ns.map(|ns| ns as f64 / 1e9);
    table.raw_set("verb", verb)?;
    if verb.is_some() {
        table.raw_set("reason", failure.message.as_str())?;
        table.raw_set("after", after)?;
    }
    if failure.asked {
        let one = lua.create_table()?;
        one.raw_set("after", after)?;
        one.raw_set("reason", failure.message.as_str())?;
        retries.raw_push(one)?;
    }
    if !skipped {
        table.raw_set("error", error_of(lua, failure)?)?;
    }
    Ok(())
}

/// A failure as an error of the library.
pub fn error_of(lua: &Lua, failure: &Failure) -> Result<Table, LibError> {
    let table = lua.create_table()?;
    table.raw_set("code", failure.code.as_str())?;
    table.raw_set("message", failure.message.as_str())?;
    table.raw_set("retryable", failure.retryable.unwrap_or(true))?;
    table.raw_set("retry_after", failure.after_ns.map(|ns| ns as f64 / 1e9))?;
    table.raw_set("traceback", failure.traceback.as_deref())?;
    table.set_metatable(Some(Shim::of(lua)?.error_metatable))?;
    Ok(table)
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Print => "print",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}
