//! `mpms.http`: requests over connections that the thread keeps, and a small server on loopback.

use std::rc::Rc;

use mlua::{Lua, LuaString, Table, UserDataRef};
use reqwest::Method;

use crate::lua::error::LibError;
use crate::lua::module::{Methods, Module, object};

mod client;
mod fail;
mod request;
mod response;
mod serve;

use request::{Base, Target};

type UrlAndOptions = (LuaString, Option<Table>);

/// `http.client`: what its requests have in common.
struct Session(Rc<Base>);

type SessionCall = (UserDataRef<Session>, LuaString, Option<Table>);

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    response::register(lua)?;
    serve::register(lua)?;
    sessions(lua)?;
    let base = Rc::new(Base::default());
    let shared = Rc::clone(&base);
    let mut module = Module::new(lua, "mpms.http");
    for (signature, method) in calls() {
        let base = Rc::clone(&base);
        module = module.waiting(signature, move |lua, (url, options): UrlAndOptions| {
            let target = Target::new(lua, &base, method.clone(), &url, options);
            perform(lua, target)
        });
    }
    module
        .waiting("request(options)", move |lua, options: Table| {
            perform(lua, Target::from_table(lua, &shared, options))
        })
        .function("client(options)", |lua, options: Option<Table>| {
            Ok(object(lua, Session(Rc::new(Base::read(options)?)))?)
        })
        .function("serve(source, options)", serve::serve)
        .build()
}

fn calls() -> [(&'static str, Method); 7] {
    [
        ("get(url, options)", Method::GET),
        ("head(url, options)", Method::HEAD),
        ("post(url, options)", Method::POST),
        ("put(url, options)", Method::PUT),
        ("patch(url, options)", Method::PATCH),
        ("delete(url, options)", Method::DELETE),
        ("options(url, options)", Method::OPTIONS),
    ]
}

fn sessions(lua: &Lua) -> mlua::Result<()> {
    let mut methods = Methods::new(lua, "http.Client");
    for (signature, method) in calls() {
        methods = methods.waiting(signature, move |lua, (session, url, options): SessionCall| {
            let target = Target::new(lua, &session.0, method.clone(), &url, options);
            perform(lua, target)
        });
    }
    methods
        .waiting("request(options)", |lua, (session, options): (UserDataRef<Session>, Table)| {
            perform(lua, Target::from_table(lua, &session.0, options))
        })
        .userdata::<Session>()
}

fn perform(
    lua: &Lua,
    target: Result<Target, LibError>,
) -> impl Future<Output = Result<Table, LibError>> + 'static + use<> {
    let lua = lua.clone();
    async move {
        let target = target?;
        let url = target.shown_url();
        response::fetch(&lua, target).await.map_err(|error| error.url(url))
    }
}

#[cfg(test)]
mod tests;
