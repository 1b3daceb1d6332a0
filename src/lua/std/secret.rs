//! `mpms.secret`: variables of the environment that nobody gets to see. What hides them is [`crate::os::secrets`].

use mlua::{
    Lua, LuaString, MetaMethod, Table, UserDataFields as _, UserDataMethods as _, UserDataRef, Value,
};

use crate::lua::error::LibError;
use crate::lua::module::{Methods, Module, global_function, object};
use crate::os::secrets::{self, MASK, Unfit};

/// What `secret.get` gives.
struct Secret(Vec<u8>);

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    register(lua)?;
    Module::new(lua, "mpms.secret")
        .function("get(name)", |lua, name: LuaString| {
            let env = super::env(lua)?;
            let value = secrets::fetch(&env.env, &name.as_bytes()).map_err(|unfit| {
                let code = if unfit == Unfit::Missing { "not_found" } else { "invalid" };
                let way = match unfit {
                    Unfit::Missing => ": set it in the shell, or in `env_file` of the manifest",
                    _ => "",
                };
                LibError::new(code, format!("the variable `{}` {unfit}{way}", name.to_string_lossy()))
            })?;
            (env.log.secret)(&name.as_bytes());
            Ok(object(lua, Secret(value))?)
        })
        .build()
}

fn register(lua: &Lua) -> mlua::Result<()> {
    let joined = global_function(lua, "secret ..", |_, _: (Value, Value)| -> Result<(), LibError> {
        Err(LibError::invalid("a secret is not joined to a text: use :reveal() where its value is meant"))
    })?;
    Methods::new(lua, "secret.Secret")
        .method("reveal()", |lua, secret: UserDataRef<Secret>| Ok(lua.create_string(&secret.0)?))
        .userdata_and::<Secret>(move |registry| {
            registry.add_meta_method(MetaMethod::ToString, |_, _, ()| Ok(MASK));
            registry.add_meta_function(
                MetaMethod::Eq,
                |_, (a, b): (UserDataRef<Secret>, UserDataRef<Secret>)| Ok(a.0 == b.0),
            );
            registry.add_meta_field("__concat", joined);
        })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use mlua::Lua;

    use crate::lua::std::testing::{fails, run};
    use crate::lua::std::{StdEnv, install, log};

    fn state() -> (Lua, Arc<Mutex<Vec<String>>>) {
        let lua = Lua::new();
        let names = Arc::<Mutex<Vec<String>>>::default();
        let told = Arc::clone(&names);
        let sinks = log::Sinks {
            secret: Arc::new(move |name| {
                told.lock().expect("whole").push(String::from_utf8_lossy(name).into_owned());
            }),
            ..log::Sinks::none()
        };
        let env = [("API_TOKEN", "unit-secret-1"), ("SAME", "unit-secret-1"), ("TINY", "abc"), ("NONE", "")];
        let env: Vec<_> = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        install(&lua, &StdEnv { env: env.into(), log: sinks, ..StdEnv::quiet("test") }).expect("installs");
        (lua, names)
    }

    #[test]
    fn a_secret_shows_nothing_unless_it_is_revealed() {
        let (lua, names) = state();
        let seen: (String, String, bool, bool) = run(
            &lua,
            "local a, b = mpms.secret.get 'API_TOKEN', mpms.secret.get 'SAME' \
             return tostring(a), a:reveal(), a == b, ('%s'):format(a) == '***'",
        );
        assert_eq!(seen, ("***".to_owned(), "unit-secret-1".to_owned(), true, true));
        assert_eq!(*names.lock().expect("whole"), ["API_TOKEN", "SAME"]);
        for code in ["'x' .. mpms.secret.get 'API_TOKEN'", "mpms.secret.get 'API_TOKEN' .. 5"] {
            let e = fails(&lua, &format!("return {code}"));
            assert!(e.code == "invalid" && e.message.contains(":reveal()"), "{}", e.message);
        }
        assert_eq!(fails(&lua, "mpms.json.encode { mpms.secret.get 'API_TOKEN' }").code, "invalid");
        assert!(
            fails(&lua, "return mpms.secret.get('API_TOKEN').value").message.contains("no field or method")
        );
        assert!(fails(&lua, "return #mpms.secret.get('API_TOKEN')").message.contains("length"));
        let mut text = "the token is unit-secret-1.".to_owned();
        crate::os::secrets::scrub(&mut text);
        assert_eq!(text, "the token is ***.");
    }

    #[test]
    fn a_secret_that_is_missing_or_too_short_is_refused() {
        let (lua, names) = state();
        let e = fails(&lua, "mpms.secret.get 'NO_SUCH_VAR'");
        assert_eq!(e.code, "not_found");
        assert!(
            e.message.starts_with("secret.get: the variable `NO_SUCH_VAR` is not set: "),
            "{}",
            e.message
        );
        assert_eq!(fails(&lua, "mpms.secret.get 'NONE'").code, "not_found");
        let e = fails(&lua, "mpms.secret.get 'TINY'");
        let wanted = "secret.get: the variable `TINY` has 3 bytes: a secret of fewer than 4 cannot be hidden";
        assert_eq!((e.code.as_str(), e.message.as_str()), ("invalid", wanted));
        assert!(names.lock().expect("whole").is_empty());
    }
}
