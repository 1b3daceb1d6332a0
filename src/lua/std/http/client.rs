//! The connections of a thread. A client is made when it is first needed and kept: building one costs more than a
//! hundred requests.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mlua::{LuaString, Table, Value};
use reqwest::Client;
use reqwest::redirect::Policy;
use rustls::ClientConfig;

use super::names::Names;
use super::proxy::Choice;
use super::{fail, tls};
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::std::path;

/// What a request may choose, but reqwest settles for a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kind {
    pub connect_timeout: Duration,
    pub decompress: bool,
}

/// Scripts use one or two kinds; this bounds those that compute them.
const MOST_KINDS: usize = 16;

/// How the other side is reached: the same for all requests of a client of the script.
#[derive(Default)]
struct Link {
    proxy: Choice,
    /// None: the usual.
    tls: Option<ClientConfig>,
    /// True: nothing else; false: never; none: where the other side offers it.
    http2: Option<bool>,
    max_idle_per_host: Option<usize>,
}

/// Connections that are used again.
#[derive(Default)]
pub(super) struct Pool {
    link: Link,
    clients: RefCell<Vec<(Kind, Client)>>,
}

thread_local! {
    static SHARED: Rc<Pool> = Rc::default();
}

impl Pool {
    /// The one of this thread, for whoever has nothing special to say.
    pub fn shared() -> Rc<Self> {
        SHARED.with(Rc::clone)
    }

    /// A pool as the options of `http.client` ask for.
    ///
    /// # Errors
    /// On wrong options, and on files of certificates that are none.
    pub fn read(options: &mut Options) -> Result<Rc<Self>, LibError> {
        let asked = ["proxy", "ca", "cert", "insecure", "http2", "max_idle_per_host"];
        let mut special = false;
        for name in asked {
            special |= options.value(name)?.is_some();
        }
        if !special {
            return Ok(Self::shared());
        }
        let trust = tls::Trust {
            ca: options.bytes("ca")?.map(|file| tls::certificates(&path::of(&file))).transpose()?,
            own: options.value("cert")?.map(|value| own_certificate(&value)).transpose()?,
            insecure: options.bool("insecure")?.unwrap_or(false),
        };
        let link = Link {
            proxy: Choice::read(options)?,
            tls: Some(tls::config(trust)?),
            http2: options.bool("http2")?,
            max_idle_per_host: options.count("max_idle_per_host")?,
        };
        Ok(Rc::new(Self { link, clients: RefCell::default() }))
    }

    /// The client of that kind.
    ///
    /// # Errors
    /// When the environment names a proxy that is none.
    pub fn client(&self, kind: Kind) -> Result<Client, LibError> {
        if let Some((_, client)) = self.clients.borrow().iter().find(|(one, _)| *one == kind) {
            return Ok(client.clone());
        }
        let client = self.link.build(kind)?;
        let mut clients = self.clients.borrow_mut();
        if clients.len() == MOST_KINDS {
            clients.remove(0);
        }
        clients.push((kind, client.clone()));
        Ok(client)
    }

    /// Idle connections are closed; those in use when they have done their work.
    pub fn close(&self) {
        self.clients.take();
    }
}

impl Link {
    fn build(&self, kind: Kind) -> Result<Client, LibError> {
        let mut tls = match &self.tls {
            Some(tls) => tls.clone(),
            None => tls::config(tls::Trust::default())?,
        };
        tls.alpn_protocols = match self.http2 {
            None => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            Some(true) => vec![b"h2".to_vec()],
            Some(false) => vec![b"http/1.1".to_vec()],
        };
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("mpms/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(kind.connect_timeout)
            .gzip(kind.decompress)
            .brotli(kind.decompress)
            .zstd(kind.decompress)
            .deflate(kind.decompress)
            .dns_resolver(Arc::new(Names))
            // Ours: see `hops.rs`.
            .redirect(Policy::none())
            // Only what we name below.
            .no_proxy();
        builder = match self.http2 {
            None => builder,
            Some(true) => builder.http2_prior_knowledge(),
            Some(false) => builder.http1_only(),
        };
        if let Some(most) = self.max_idle_per_host {
            builder = builder.pool_max_idle_per_host(most);
        }
        for proxy in self.proxy.proxies()? {
            builder = builder.proxy(proxy);
        }
        builder.build().map_err(|error| fail::from_reqwest(&error))
    }
}

type Own = (Vec<rustls::pki_types::CertificateDer<'static>>, rustls::pki_types::PrivateKeyDer<'static>);

/// `{pem, key}`, `{pem=, key=}`, or one file that holds both.
fn own_certificate(value: &Value) -> Result<Own, LibError> {
    let wrong = || LibError::invalid("option `cert` must be a file, {pem, key} or {pem=, key=}");
    let (pem, key): (PathBuf, PathBuf) = match value {
        Value::String(both) => (path::of(both), path::of(both)),
        Value::Table(table) => {
            table.for_each(|key: Value, _: Value| match key.to_string()?.as_str() {
                "1" | "2" | "pem" | "key" => Ok(()),
                _ => Err(mlua::Error::external(wrong())),
            })?;
            let file = |index: i64, name: &str| -> Result<Option<LuaString>, LibError> {
                let first: Option<LuaString> = Table::raw_get(table, index).map_err(|_| wrong())?;
                match first {
                    Some(file) => Ok(Some(file)),
                    None => table.raw_get(name).map_err(|_| wrong()),
                }
            };
            let pem = file(1, "pem")?.ok_or_else(wrong)?;
            let key = file(2, "key")?.unwrap_or_else(|| pem.clone());
            (path::of(&pem), path::of(&key))
        }
        _ => return Err(wrong()),
    };
    Ok((tls::certificates(&pem)?, tls::key(&key)?))
}
