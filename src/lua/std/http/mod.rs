//! `mpms.http`: requests over connections that the thread keeps, and a small server on loopback.

use std::rc::Rc;

use mlua::{AnyUserData, Lua, LuaString, Table, UserDataRef};
use reqwest::Method;

use crate::lua::error::LibError;
use crate::lua::module::{Methods, Module, object};

mod all;
mod charset;
mod client;
mod clock;
mod cookies;
mod download;
mod fail;
mod fields;
mod hops;
mod media;
pub mod mock;
mod names;
mod payload;
mod proxy;
mod request;
mod response;
mod retries;
pub mod robots;
mod serve;
mod settings;
mod stream;
mod tls;

use all::Batch;
pub(in crate::lua::std) use charset::decode;
use download::Order;
use request::{Session, Target};
pub use response::page;
pub(in crate::lua::std) use tls::{Trust, certificates, config as tls_config, key as private_key};

/// The userdata of `http.client`.
struct Client(Rc<Session>);

type UrlAndOptions = (LuaString, Option<Table>);
type ToFile = (LuaString, LuaString, Option<Table>);
type OfClient<A, B> = (UserDataRef<Client>, A, B);

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    response::register(lua)?;
    stream::register(lua)?;
    serve::register(lua)?;
    clients(lua)?;
    let shared: Rc<Session> = Rc::default();
    let same = || Rc::clone(&shared);
    let mut module = Module::new(lua, "mpms.http");
    for (signature, method) in calls() {
        let session = same();
        module = module.waiting(signature, move |lua, (url, options): UrlAndOptions| {
            fetch(lua, Target::new(lua, &session, method.clone(), &url, options))
        });
    }
    let (request, download, stream, all) = (same(), same(), same(), same());
    module
        .waiting("request(options)", move |lua, options: Table| {
            fetch(lua, Target::from_table(lua, &request, &request.settings, options))
        })
        .waiting("download(url, path, options)", move |lua, (url, path, options): ToFile| {
            to_file(lua, Order::read(lua, &download, &url, &path, options))
        })
        .waiting("stream(url, options)", move |lua, (url, options): UrlAndOptions| {
            open(lua, Target::new(lua, &stream, Method::GET, &url, options))
        })
        .waiting("all(requests)", move |lua, requests: Table| many(lua, Batch::read(lua, &all, &requests)))
        .function("client(options)", |lua, options: Option<Table>| {
            Ok(object(lua, Client(Rc::new(Session::read(options)?)))?)
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

fn clients(lua: &Lua) -> mlua::Result<()> {
    let mut methods = Methods::new(lua, "http.Client");
    for (signature, method) in calls() {
        methods = methods.waiting(
            signature,
            move |lua, (client, url, options): OfClient<LuaString, Option<Table>>| {
                fetch(lua, Target::new(lua, &client.0, method.clone(), &url, options))
            },
        );
    }
    methods
        .waiting("request(options)", |lua, (client, options): (UserDataRef<Client>, Table)| {
            fetch(lua, Target::from_table(lua, &client.0, &client.0.settings, options))
        })
        .waiting(
            "download(url, path, options)",
            |lua, (client, url, path, options): (UserDataRef<Client>, LuaString, LuaString, Option<Table>)| {
                to_file(lua, Order::read(lua, &client.0, &url, &path, options))
            },
        )
        .waiting(
            "stream(url, options)",
            |lua, (client, url, options): OfClient<LuaString, Option<Table>>| {
                open(lua, Target::new(lua, &client.0, Method::GET, &url, options))
            },
        )
        .waiting("all(requests)", |lua, (client, requests): (UserDataRef<Client>, Table)| {
            many(lua, Batch::read(lua, &client.0, &requests))
        })
        .method("cookies()", |lua, client: UserDataRef<Client>| match &client.0.jar {
            Some(jar) => jar.list(lua),
            None => Err(LibError::invalid("the client keeps no cookies: `cookies = true` makes it")),
        })
        .method("close()", |_, client: UserDataRef<Client>| {
            client.0.close();
            stream::settle();
            Ok(())
        })
        .userdata::<Client>()
}

fn fetch(
    lua: &Lua,
    target: Result<Target, LibError>,
) -> impl Future<Output = Result<Table, LibError>> + 'static + use<> {
    let lua = lua.clone();
    // behind a pointer, since the future holds it twice
    let target = target.map(Box::new);
    async move {
        let target = target?;
        response::fetch(&lua, &target).await.map_err(|error| error.url(target.shown_url()))
    }
}

/// Whether it is an `http.client`.
pub(super) fn is_client(object: &AnyUserData) -> bool {
    object.is::<Client>()
}

/// GET for other modules: by that `http.client`, or as `http.get` does it.
pub(super) fn get(
    lua: &Lua,
    client: Option<&AnyUserData>,
    url: &str,
) -> impl Future<Output = Result<Table, LibError>> + 'static + use<> {
    let target = (|| {
        // Replies have their metatables only where the module is made.
        super::builtin(lua, "mpms.http")?;
        let session = match client {
            None => Rc::default(),
            Some(client) => {
                let client = client.borrow::<Client>();
                Rc::clone(
                    &client.map_err(|_| LibError::invalid("option `client` must be of `http.client`"))?.0,
                )
            }
        };
        Target::new(lua, &session, Method::GET, &lua.create_string(url)?, None)
    })();
    fetch(lua, target)
}

fn open(
    lua: &Lua,
    target: Result<Target, LibError>,
) -> impl Future<Output = Result<Table, LibError>> + 'static + use<> {
    let lua = lua.clone();
    async move {
        let target = target?;
        stream::open(&lua, &target).await.map_err(|error| error.url(target.shown_url()))
    }
}

fn to_file(
    lua: &Lua,
    order: Result<Order, LibError>,
) -> impl Future<Output = Result<Table, LibError>> + 'static + use<> {
    let lua = lua.clone();
    async move {
        let order = order?;
        download::run(&lua, &order).await.map_err(|error| error.url(order.target.shown_url()))
    }
}

fn many(
    lua: &Lua,
    batch: Result<Batch, LibError>,
) -> impl Future<Output = Result<Table, LibError>> + 'static + use<> {
    let lua = lua.clone();
    async move { all::run(&lua, batch?).await }
}

/// `%41` to `A`; a `%` that is no code stays as it is.
fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests;
