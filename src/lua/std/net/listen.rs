//! `net.listen`: those who come.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use mlua::{Lua, LuaString, MultiValue, Table, UserDataFields as _, UserDataRef, Value};
use tokio::net::{TcpListener, UnixListener};

use super::names::{self, Peer};
use super::secure::Server;
use super::socket::{Ends, Settings, Socket};
use crate::lua::error::LibError;
use crate::lua::module::{Methods, object};
use crate::lua::options::{self, Options};
use crate::lua::std::lent::Slot;

enum Where {
    Tcp(Peer),
    Unix(PathBuf),
}

/// What `listen` was asked for.
pub(super) struct Order {
    place: Where,
    tls: Option<Server>,
    settings: Settings,
}

impl Order {
    /// `listen(host, port)`, or `listen("unix:path")`.
    ///
    /// # Errors
    /// On wrong arguments.
    pub fn read(host: &LuaString, port: Option<Value>, options: Option<Table>) -> Result<Self, LibError> {
        let unix = host.as_bytes().strip_prefix(b"unix:").map(<[u8]>::to_vec);
        let (place, options) = match (unix, port) {
            (Some(name), None) => (Where::Unix(file(&name)), options),
            // There is no port: the options may stand in its place.
            (Some(name), Some(Value::Table(table))) => (Where::Unix(file(&name)), Some(table)),
            (Some(_), Some(_)) => return Err(LibError::invalid("a socket of `unix:` has no port")),
            (None, port) => {
                let port = names::port(&port.unwrap_or(Value::Integer(0)), "argument 2 (port)", 0)?;
                (Where::Tcp(Peer { host: names::host(host)?, port }), options)
            }
        };
        let mut options = Options::new(options);
        let tls = Server::read(&mut options)?;
        let settings = Settings::read(&mut options)?;
        options.finish()?;
        if tls.is_some() && matches!(place, Where::Unix(_)) {
            return Err(LibError::invalid("a socket of `unix:` has no TLS"));
        }
        Ok(Self { place, tls, settings })
    }

    /// # Errors
    /// `busy` when somebody else listens there; `permission`; what else the system says.
    pub async fn open(self) -> Result<Listener, LibError> {
        let (door, url, port) = match self.place {
            Where::Tcp(peer) => {
                let wrong = |error: std::io::Error| LibError::from(error).url(peer.url());
                let listener = TcpListener::bind((peer.host.as_str(), peer.port)).await.map_err(wrong)?;
                let port = listener.local_addr().map_err(wrong)?.port();
                (Door::Tcp(listener), Peer { port, ..peer }.url(), Some(port))
            }
            Where::Unix(path) => {
                let listener = UnixListener::bind(&path).map_err(|error| LibError::file(&error, &path))?;
                let url = format!("unix:{}", path.display());
                (Door::Unix(listener, Remove(path)), url, None)
            }
        };
        Ok(Listener {
            door: Slot::new("the listener", door),
            tls: self.tls,
            settings: self.settings,
            url,
            port,
        })
    }
}

fn file(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(name))
}

enum Door {
    Tcp(TcpListener),
    Unix(UnixListener, #[expect(dead_code, reason = "its drop is what it is for")] Remove),
}

/// The file of a socket goes with its listener.
struct Remove(PathBuf);

impl Drop for Remove {
    fn drop(&mut self) {
        // Somebody else may have done it.
        let _ = std::fs::remove_file(&self.0);
    }
}

pub(super) struct Listener {
    door: Slot<Door>,
    tls: Option<Server>,
    settings: Settings,
    url: String,
    port: Option<u16>,
}

impl Listener {
    /// The next one who comes; `None` when nobody came within the time.
    async fn accept(&self, timeout: Option<Duration>) -> Result<Option<Socket>, LibError> {
        let door = self.door.lend()?;
        let coming = async {
            match &*door {
                Door::Tcp(listener) => {
                    let (stream, _) = listener.accept().await?;
                    let _ = stream.set_nodelay(true);
                    let ends = Ends::of(&stream);
                    Ok((Some(stream), None, ends))
                }
                Door::Unix(listener, _) => {
                    let (stream, _) = listener.accept().await?;
                    Ok((None, Some(stream), Ends::default()))
                }
            }
        };
        let came: std::io::Result<_> = match timeout {
            None => coming.await,
            Some(limit) => match tokio::time::timeout(limit.max(Duration::from_millis(1)), coming).await {
                Ok(came) => came,
                Err(_) => return Ok(None),
            },
        };
        drop(door);
        let (url, settings) = (self.url.clone(), self.settings);
        Ok(match (came?, &self.tls) {
            ((Some(stream), _, ends), None) => Some(Socket::new(stream, url, settings).between(ends)),
            ((Some(stream), _, ends), Some(tls)) => {
                let handshake = tls.secure(stream);
                let limit = settings.timeout.unwrap_or(Duration::from_secs(30));
                let secured = tokio::time::timeout(limit, handshake).await;
                let stream = secured.map_err(|_| LibError::timeout("no handshake within the time"))??;
                Some(Socket::new(stream, url, settings).between(ends))
            }
            ((_, Some(stream), _), _) => Some(Socket::new(stream, url, settings)),
            ((None, None, _), _) => None,
        })
    }
}

type Accept = (UserDataRef<Rc<Listener>>, Option<Value>);

pub(super) fn register(lua: &Lua) -> mlua::Result<()> {
    Methods::new(lua, "net.Listener")
        .waiting("accept(timeout)", |lua, (listener, timeout): Accept| {
            let (lua, listener) = (lua.clone(), Rc::clone(&listener));
            let timeout = timeout.as_ref().map(options::duration).transpose();
            async move {
                let timeout = timeout.map_err(|error| {
                    LibError::invalid(format!("argument 1 (timeout) {}", error.message()))
                })?;
                let came = listener.accept(timeout).await.map_err(|error| error.url(&listener.url))?;
                Ok(match came {
                    Some(socket) => MultiValue::from_iter([Value::UserData(object(&lua, Rc::new(socket))?)]),
                    None => MultiValue::from_iter([Value::Nil, Value::String(lua.create_string("timeout")?)]),
                })
            }
        })
        .method("close()", |_, listener: UserDataRef<Rc<Listener>>| {
            drop(listener.door.close());
            Ok(())
        })
        .userdata_and::<Rc<Listener>>(|registry| {
            registry.add_field_method_get("port", |_, listener| Ok(listener.port));
            registry.add_field_method_get("url", |_, listener| Ok(listener.url.clone()));
        })
}
