//! `mpms.env`: variables of the environment, those of the job before those of the process.

use std::os::unix::ffi::OsStrExt as _;

use mlua::{Lua, LuaString, Table, Value};

use crate::lua::error::LibError;
use crate::lua::module::Module;
use crate::os::secrets;

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    Module::new(lua, "mpms.env")
        .function("get(name, default)", |lua, (name, default): (LuaString, Value)| match value(lua, &name)? {
            Some(value) => Ok(Value::String(lua.create_string(value)?)),
            None => Ok(default),
        })
        .function("require(name)", |lua, name: LuaString| match value(lua, &name)? {
            Some(value) if !value.is_empty() => Ok(lua.create_string(value)?),
            found => {
                let name = name.to_string_lossy();
                let how = if found.is_some() { "is empty" } else { "is not set" };
                let text = format!(
                    "the variable `{name}` {how}: set it in the shell, in `env` or in `env_file` of the manifest"
                );
                Err(LibError::new("not_found", text))
            }
        })
        .function("all()", |lua, ()| {
            let all = lua.create_table()?;
            for (name, value) in std::env::vars_os() {
                all.raw_set(lua.create_string(name.as_bytes())?, lua.create_string(value.as_bytes())?)?;
            }
            for (name, value) in super::env(lua)?.env.iter() {
                all.raw_set(name.as_str(), value.as_str())?;
            }
            Ok(all)
        })
        .build()
}

fn value(lua: &Lua, name: &LuaString) -> Result<Option<Vec<u8>>, LibError> {
    Ok(secrets::variable(&super::env(lua)?.env, &name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use mlua::Lua;

    use crate::lua::std::testing::{fails, run};
    use crate::lua::std::{StdEnv, install};

    fn with(job: &[(&str, &str)]) -> Lua {
        let lua = Lua::new();
        let job: Vec<_> = job.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        install(&lua, &StdEnv { env: job.into(), ..StdEnv::quiet("test") }).expect("installs");
        assert!(lua.app_data_ref::<Rc<StdEnv>>().is_some());
        lua
    }

    #[test]
    fn the_job_goes_before_the_process() {
        let lua = with(&[("HOME", "/of/the/job"), ("LEER", "")]);
        let path = std::env::var("PATH").expect("there is a PATH");
        assert_eq!(
            run::<(String, String)>(&lua, "return mpms.env.get 'HOME', mpms.env.get 'PATH'"),
            ("/of/the/job".into(), path)
        );
        assert_eq!(
            run::<(Option<String>, i64, String)>(
                &lua,
                "return mpms.env.get 'NO_SUCH_VAR', mpms.env.get('NO_SUCH_VAR', 5), mpms.env.get('LEER', 'x')"
            ),
            (None, 5, String::new())
        );
        assert!(run::<bool>(
            &lua,
            "local all = mpms.env.all() return all.HOME == '/of/the/job' and all.PATH == os.getenv 'PATH'"
        ));
        assert_eq!(run::<String>(&lua, "return mpms.env.require 'HOME'"), "/of/the/job");
    }

    #[test]
    fn what_is_required_and_missing_is_named() {
        let lua = with(&[("LEER", "")]);
        let e = fails(&lua, "mpms.env.require 'NO_SUCH_VAR'");
        assert_eq!(e.code, "not_found");
        assert!(
            e.message.starts_with("env.require: the variable `NO_SUCH_VAR` is not set: "),
            "{}",
            e.message
        );
        assert!(fails(&lua, "mpms.env.require 'LEER'").message.contains("`LEER` is empty"));
        // names that no variable can have
        assert!(run::<bool>(
            &lua,
            "return mpms.env.get '' == nil and mpms.env.get 'a=b' == nil and mpms.env.get 'a\\0' == nil"
        ));
        assert_eq!(fails(&lua, "mpms.env.get {}").code, "invalid");
    }
}
