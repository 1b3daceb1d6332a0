//! `net.udp`: datagrams.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use mlua::{Lua, LuaString, MultiValue, Table, UserDataFields as _, UserDataRef, Value};
use tokio::net::UdpSocket;

use super::names;
use super::socket::Settings;
use crate::lua::error::LibError;
use crate::lua::module::Methods;
use crate::lua::options::Options;
use crate::lua::std::lent::Slot;

/// The largest datagram that UDP can carry.
const LARGEST: usize = 65_535;

/// What `udp` was asked for.
pub(super) struct Order {
    host: String,
    port: u16,
    timeout: Option<Duration>,
}

impl Order {
    /// `host` and `port` are its own; any by default.
    ///
    /// # Errors
    /// On wrong options.
    pub fn read(options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let host = match options.bytes("host")? {
            Some(host) => names::host(&host)?,
            None => "0.0.0.0".to_owned(),
        };
        let port = options.value("port")?.unwrap_or(Value::Integer(0));
        let port = names::port(&port, "option `port`", 0)?;
        let timeout = Settings::read(&mut options)?.timeout;
        options.finish()?;
        Ok(Self { host, port, timeout })
    }

    /// # Errors
    /// `busy` when the port is taken; what else the system says.
    pub async fn open(self) -> Result<Udp, LibError> {
        let url = format!("udp://{}:{}", self.host, self.port);
        let wrong = |error: std::io::Error| LibError::from(error).url(&url);
        let socket = UdpSocket::bind((self.host.as_str(), self.port)).await.map_err(wrong)?;
        let own = socket.local_addr().map_err(wrong)?;
        Ok(Udp { socket: Slot::new("the socket", Rc::new(socket)), own, timeout: self.timeout })
    }
}

pub(super) struct Udp {
    socket: Slot<Rc<UdpSocket>>,
    own: SocketAddr,
    timeout: Option<Duration>,
}

impl Udp {
    /// Both directions may wait at the same time.
    fn socket(&self) -> Result<Rc<UdpSocket>, LibError> {
        self.socket.lend().map(|socket| Rc::clone(&socket))
    }

    async fn send(&self, data: &[u8], host: &str, port: u16) -> Result<usize, LibError> {
        let url = format!("udp://{host}:{port}");
        let found = names::addresses(host, port, self.timeout).await.map_err(|error| error.url(&url))?;
        let same = |address: &&SocketAddr| address.is_ipv4() == self.own.is_ipv4();
        let Some(to) = found.iter().find(same) else {
            let kind = if self.own.is_ipv4() { "IPv4" } else { "IPv6" };
            return Err(LibError::new("dns", format!("the host has no address of {kind}")).url(url));
        };
        let socket = self.socket()?;
        let sent = socket.send_to(data, *to).await;
        sent.map_err(|error| match error.raw_os_error() {
            // EMSGSIZE
            Some(90) => LibError::new("too_large", "the data is too long for a datagram").url(&url),
            _ => LibError::from(error).url(&url),
        })
    }

    /// `None` when nothing came within the time.
    async fn receive(&self, timeout: Option<Duration>) -> Result<Option<(Vec<u8>, SocketAddr)>, LibError> {
        let socket = self.socket()?;
        let mut buffer = vec![0; LARGEST];
        let coming = socket.recv_from(&mut buffer);
        let came = match timeout.or(self.timeout) {
            None => coming.await,
            Some(limit) => match tokio::time::timeout(limit.max(Duration::from_millis(1)), coming).await {
                Ok(came) => came,
                Err(_) => return Ok(None),
            },
        };
        let (size, from) = came?;
        buffer.truncate(size);
        Ok(Some((buffer, from)))
    }
}

type SendTo = (UserDataRef<Rc<Udp>>, LuaString, LuaString, Value);
type Receive = (UserDataRef<Rc<Udp>>, Option<Value>);

pub(super) fn register(lua: &Lua) -> mlua::Result<()> {
    Methods::new(lua, "net.Udp")
        .waiting("send(data, host, port)", |_, (udp, data, host, port): SendTo| {
            let udp = Rc::clone(&udp);
            let to =
                names::host(&host).and_then(|host| Ok((host, names::port(&port, "argument 3 (port)", 1)?)));
            async move {
                let (host, port) = to?;
                udp.send(&data.as_bytes(), &host, port).await
            }
        })
        .waiting("receive(timeout)", |lua, (udp, timeout): Receive| {
            let (lua, udp) = (lua.clone(), Rc::clone(&udp));
            let timeout = timeout.as_ref().map(crate::lua::options::duration).transpose();
            async move {
                let timeout = timeout.map_err(|error| {
                    LibError::invalid(format!("argument 1 (timeout) {}", error.message()))
                })?;
                Ok(match udp.receive(timeout).await? {
                    Some((data, from)) => MultiValue::from_iter([
                        Value::String(lua.create_string(data)?),
                        Value::String(lua.create_string(from.ip().to_string())?),
                        Value::Integer(from.port().into()),
                    ]),
                    None => MultiValue::from_iter([Value::Nil, Value::String(lua.create_string("timeout")?)]),
                })
            }
        })
        .method("close()", |_, udp: UserDataRef<Rc<Udp>>| {
            drop(udp.socket.close());
            Ok(())
        })
        .userdata_and::<Rc<Udp>>(|registry| {
            registry.add_field_method_get("port", |_, udp| Ok(udp.own.port()));
        })
}
