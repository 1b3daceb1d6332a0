//! The connections of a thread. A client is made when it is first needed and kept: building one costs more than a
//! hundred requests.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, NoProxy, Proxy};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::fail;
use crate::lua::error::LibError;

/// What reqwest settles for a client and not for a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kind {
    /// Most redirects that are followed; none at all without.
    pub redirects: Option<usize>,
    pub connect_timeout: Duration,
}

/// Scripts use one or two kinds; this bounds those that compute them.
const MOST_KINDS: usize = 16;

thread_local! {
    static CLIENTS: RefCell<Vec<(Kind, Client)>> = const { RefCell::new(Vec::new()) };
}

/// The thread's client of that kind.
pub(super) fn of_kind(kind: Kind) -> Result<Client, LibError> {
    CLIENTS.with_borrow_mut(|clients| {
        if let Some((_, client)) = clients.iter().find(|(one, _)| *one == kind) {
            return Ok(client.clone());
        }
        let client = build(kind)?;
        if clients.len() == MOST_KINDS {
            clients.remove(0);
        }
        clients.push((kind, client.clone()));
        Ok(client)
    })
}

fn build(kind: Kind) -> Result<Client, LibError> {
    let policy = kind.redirects.map_or_else(Policy::none, Policy::limited);
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls()?)
        .user_agent(concat!("mpms/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(kind.connect_timeout)
        .redirect(policy)
        // Only what we name below.
        .no_proxy();
    for proxy in proxies()? {
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| fail::from_reqwest(&error))
}

type MakeProxy = fn(String) -> reqwest::Result<Proxy>;

/// The proxies of the environment, as curl reads it, but never for this machine itself.
fn proxies() -> Result<Vec<Proxy>, LibError> {
    let variable = |name: &str| {
        let value = std::env::var(name).or_else(|_| std::env::var(name.to_uppercase()));
        value.ok().filter(|value| !value.trim().is_empty())
    };
    let own = "localhost,127.0.0.0/8,::1";
    let direct = variable("no_proxy").map_or_else(|| own.to_owned(), |more| format!("{own},{more}"));
    let makers: [(&str, MakeProxy); 3] =
        [("http_proxy", Proxy::http), ("https_proxy", Proxy::https), ("all_proxy", Proxy::all)];
    let mut proxies = Vec::new();
    for (name, make) in makers {
        let Some(address) = variable(name) else {
            continue;
        };
        let proxy = make(address).map_err(|_| {
            LibError::invalid(format!("the variable {name} does not hold the address of a proxy"))
        })?;
        proxies.push(proxy.no_proxy(NoProxy::from_string(&direct)));
    }
    Ok(proxies)
}

/// One configuration for the process: its threads share the certificates and the sessions.
fn tls() -> Result<ClientConfig, LibError> {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| LibError::new("tls", error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(LazyVerifier::new(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(CONFIG.get_or_init(|| config).clone())
}

/// The platform's verifier, made at the first handshake: reading the certificates of the machine takes milliseconds,
/// which a job that only speaks plain HTTP does not pay.
#[derive(Debug)]
struct LazyVerifier {
    provider: Arc<CryptoProvider>,
    real: OnceLock<Result<Arc<dyn ServerCertVerifier>, rustls::Error>>,
}

impl LazyVerifier {
    fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider, real: OnceLock::new() }
    }

    fn real(&self) -> Result<&Arc<dyn ServerCertVerifier>, rustls::Error> {
        self.real.get_or_init(|| verifier(&self.provider)).as_ref().map_err(Clone::clone)
    }
}

fn verifier(provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    // Fails where the machine has no certificates, as in an empty container: then Mozilla's roots, built in.
    if let Ok(platform) = rustls_platform_verifier::Verifier::new(Arc::clone(provider)) {
        return Ok(Arc::new(platform));
    }
    static ROOTS: LazyLock<Arc<RootCertStore>> =
        LazyLock::new(|| Arc::new(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()));
    let built = WebPkiServerVerifier::builder_with_provider(Arc::clone(&ROOTS), Arc::clone(provider)).build();
    let built = built.map_err(|error| rustls::Error::General(error.to_string()))?;
    Ok(built)
}

impl ServerCertVerifier for LazyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.real()?.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.real()?.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.real()?.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
