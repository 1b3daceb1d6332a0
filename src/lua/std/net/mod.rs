//! `mpms.net`: connections, plain or with TLS, in both directions; datagrams; names.

use std::rc::Rc;
use std::time::Duration;

use mlua::{AnyUserData, Function, Lua, LuaString, Table, UserDataRef, Value};
use tokio::net::{TcpStream, UnixStream};

use super::{path, reach};
use crate::lua::error::LibError;
use crate::lua::module::{Methods, Module, object};
use crate::lua::options::{self, Options};

mod listen;
mod names;
mod receive;
mod secure;
mod socket;
mod udp;

use names::Peer;
use socket::{Settings, Socket};

type HostPortOptions = (LuaString, Value, Option<Table>);

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    sockets(lua)?;
    listen::register(lua)?;
    udp::register(lua)?;
    Module::new(lua, "mpms.net")
        .waiting("connect(host, port, options)", |lua, (host, port, options): HostPortOptions| {
            let lua = lua.clone();
            let asked = Asked::read(&host, &port, options);
            async move {
                let asked = asked?;
                let peer = asked.peer.clone();
                let socket = asked.connect().await.map_err(|error| error.url(peer.url()))?;
                Ok(object(&lua, Rc::new(socket))?)
            }
        })
        .waiting("unix(path, options)", |lua, (name, options): (LuaString, Option<Table>)| {
            let lua = lua.clone();
            let path = path::of(&name);
            let settings = Settings::alone(options);
            async move {
                let settings = settings?;
                reach::check("localhost").map_err(|error| error.path(&path))?;
                let connecting = UnixStream::connect(&path);
                let stream =
                    limited(settings.timeout, connecting).await.map_err(|error| error.path(&path))?;
                let name = format!("unix:{}", path.display());
                Ok(object(&lua, Rc::new(Socket::new(stream, name, settings)))?)
            }
        })
        .waiting(
            "listen(host, port, options)",
            |lua, (host, port, options): (LuaString, Option<Value>, Option<Table>)| {
                let lua = lua.clone();
                let order = listen::Order::read(&host, port, options);
                async move { Ok(object(&lua, Rc::new(order?.open().await?))?) }
            },
        )
        .waiting("udp(options)", |lua, options: Option<Table>| {
            let lua = lua.clone();
            let order = udp::Order::read(options);
            async move { Ok(object(&lua, Rc::new(order?.open().await?))?) }
        })
        .waiting("resolve(host, options)", |lua, (host, options): (LuaString, Option<Table>)| {
            let lua = lua.clone();
            let asked = (|| {
                let settings = Settings::alone(options)?;
                Ok::<_, LibError>((names::host(&host)?, settings.timeout))
            })();
            async move {
                let (host, timeout) = asked?;
                let found = names::addresses(&host, 0, timeout).await?;
                let list = lua.create_table()?;
                for address in found {
                    list.raw_push(address.ip().to_string())?;
                }
                Ok(list)
            }
        })
        .build()
}

/// What `connect` was asked for.
struct Asked {
    peer: Peer,
    tls: Option<secure::Client>,
    settings: Settings,
}

impl Asked {
    fn read(host: &LuaString, port: &Value, options: Option<Table>) -> Result<Self, LibError> {
        let peer = Peer { host: names::host(host)?, port: names::port(port, "argument 2 (port)", 1)? };
        let mut options = Options::new(options);
        let tls = secure::Client::read(&mut options, &peer.host)?;
        let settings = Settings::read(&mut options)?;
        options.finish()?;
        Ok(Self { peer, tls, settings })
    }

    async fn connect(self) -> Result<Socket, LibError> {
        let url = self.peer.url();
        let timeout = self.settings.timeout;
        let opening = async {
            let stream = names::connect(&self.peer).await?;
            // Only costs speed where it fails.
            let _ = stream.set_nodelay(true);
            Ok::<TcpStream, LibError>(stream)
        };
        let secured = async {
            let stream = opening.await?;
            let ends = socket::Ends::of(&stream);
            Ok(match self.tls {
                None => Socket::new(stream, url, self.settings).between(ends),
                Some(tls) => Socket::new(tls.secure(stream).await?, url, self.settings).between(ends),
            })
        };
        match timeout {
            None => secured.await,
            Some(limit) => match tokio::time::timeout(limit, secured).await {
                Ok(opened) => opened,
                Err(_) => Err(LibError::timeout("no connection within the time")),
            },
        }
    }
}

/// A step of opening something, within the time.
async fn limited<T>(
    timeout: Option<Duration>,
    step: impl Future<Output = std::io::Result<T>>,
) -> Result<T, LibError> {
    let done = match timeout {
        None => step.await,
        Some(limit) => match tokio::time::timeout(limit, step).await {
            Ok(done) => done,
            Err(_) => return Err(LibError::timeout("no connection within the time")),
        },
    };
    Ok(done?)
}

type OfSocket<A> = (UserDataRef<Rc<Socket>>, A);

fn sockets(lua: &Lua) -> mlua::Result<()> {
    let next_line = next_line(lua)?;
    Methods::new(lua, "net.Socket")
        .waiting("send(data)", |lua, (socket, data): OfSocket<LuaString>| {
            let (lua, socket) = (lua.clone(), Rc::clone(&socket));
            async move { receive::send(&lua, &socket, &data).await }
        })
        .waiting("receive(pattern)", |lua, (socket, pattern): OfSocket<Value>| {
            let (lua, socket) = (lua.clone(), Rc::clone(&socket));
            let pattern = receive::Pattern::read(&pattern);
            async move { receive::receive(&lua, &socket, pattern?).await }
        })
        .method("lines()", move |lua, socket: AnyUserData| {
            let text = "local next, socket = ... return function() return next(socket) end";
            let closure = lua.load(text).set_name("=mpms");
            Ok(closure.call::<Function>((&next_line, socket))?)
        })
        .method("settimeout(duration)", |_, (socket, duration): OfSocket<Option<Value>>| {
            let limit = duration.as_ref().map(options::duration).transpose();
            socket.set_timeout(
                limit.map_err(|error| {
                    LibError::invalid(format!("argument 1 (duration) {}", error.message()))
                })?,
            );
            Ok(())
        })
        .waiting("shutdown()", |_, socket: UserDataRef<Rc<Socket>>| {
            let socket = Rc::clone(&socket);
            async move { socket.shutdown().await }
        })
        .waiting("close()", |_, socket: UserDataRef<Rc<Socket>>| {
            let socket = Rc::clone(&socket);
            async move {
                socket.close().await;
                Ok(())
            }
        })
        .method("peer()", |_, socket: UserDataRef<Rc<Socket>>| Ok(socket.ends.peer()))
        .method("address()", |_, socket: UserDataRef<Rc<Socket>>| Ok(socket.ends.own()))
        .userdata::<Rc<Socket>>()
}

/// The function behind `lines`; what it raises is an error of that.
fn next_line(lua: &Lua) -> mlua::Result<Function> {
    let hidden =
        Module::new(lua, "mpms.net").waiting("lines(socket)", |lua, socket: UserDataRef<Rc<Socket>>| {
            let (lua, socket) = (lua.clone(), Rc::clone(&socket));
            async move { receive::line(&lua, &socket).await }
        });
    hidden.build()?.get("lines")
}

#[cfg(test)]
mod tests;
