//! TLS on both sides.

use std::io;
use std::sync::Arc;

use mlua::Table;
use rustls::ServerConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::std::{http, path};

/// What `connect` may say about it.
pub(super) struct Client {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Client {
    /// `tls = true`, with `server_name`, `ca`, `cert = {file, file}` and `insecure`.
    ///
    /// # Errors
    /// On wrong options and files.
    pub fn read(options: &mut Options, host: &str) -> Result<Option<Self>, LibError> {
        let wanted = options.bool("tls")?.unwrap_or(false);
        let name = options.string("server_name")?;
        let ca = options.bytes("ca")?;
        let own = options.table("cert")?;
        let insecure = options.bool("insecure")?;
        if !wanted {
            let given = [
                ("server_name", name.is_some()),
                ("ca", ca.is_some()),
                ("cert", own.is_some()),
                ("insecure", insecure.is_some()),
            ];
            return match given.iter().find(|(_, given)| *given) {
                Some((option, _)) => Err(LibError::invalid(format!("option `{option}` needs `tls = true`"))),
                None => Ok(None),
            };
        }
        let name = name.as_deref().unwrap_or(host).to_owned();
        let shown = name.clone();
        let name = ServerName::try_from(name)
            .map_err(|_| LibError::invalid(format!("`{shown}` is no name that a certificate can have")))?;
        let trust = http::Trust {
            ca: ca.map(|file| http::certificates(&path::of(&file))).transpose()?,
            own: own.map(pair).transpose()?,
            insecure: insecure.unwrap_or(false),
        };
        let config = http::tls_config(trust)?;
        Ok(Some(Self { connector: TlsConnector::from(Arc::new(config)), name }))
    }

    /// # Errors
    /// `tls`, not retryable when the certificate is refused.
    pub async fn secure(self, stream: TcpStream) -> Result<client::TlsStream<TcpStream>, LibError> {
        self.connector.connect(self.name, stream).await.map_err(failed)
    }
}

type Pair = (Vec<rustls::pki_types::CertificateDer<'static>>, rustls::pki_types::PrivateKeyDer<'static>);

/// `{"cert.pem", "key.pem"}`.
fn pair(files: Table) -> Result<Pair, LibError> {
    let wrong = |_| LibError::invalid("option `cert` must be {\"cert.pem\", \"key.pem\"}");
    let (certificate, key) = (files.raw_get(1).map_err(wrong)?, files.raw_get(2).map_err(wrong)?);
    Ok((http::certificates(&path::of(&certificate))?, http::private_key(&path::of(&key))?))
}

/// What `listen` may say about it.
pub(super) struct Server(TlsAcceptor);

impl Server {
    /// `cert = {file, file}` makes a listener one with TLS.
    ///
    /// # Errors
    /// On wrong options and files.
    pub fn read(options: &mut Options) -> Result<Option<Self>, LibError> {
        let Some(files) = options.table("cert")? else {
            return Ok(None);
        };
        let (chain, key) = pair(files)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| LibError::new("tls", error.to_string()))?;
        Ok(Some(Self(TlsAcceptor::from(Arc::new(config)))))
    }

    /// # Errors
    /// `tls`.
    pub async fn secure(&self, stream: TcpStream) -> Result<server::TlsStream<TcpStream>, LibError> {
        self.0.accept(stream).await.map_err(failed)
    }
}

/// rustls packs its errors into those of the system.
pub(super) fn failed(error: io::Error) -> LibError {
    let below = error.get_ref().and_then(|below| below.downcast_ref::<rustls::Error>());
    match below {
        Some(tls) => {
            let refused = matches!(tls, rustls::Error::InvalidCertificate(_));
            LibError::new("tls", tls.to_string()).retryable(!refused)
        }
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            LibError::new("tls", "the other side closed the connection in the handshake").retryable(true)
        }
        None => LibError::from(error),
    }
}
