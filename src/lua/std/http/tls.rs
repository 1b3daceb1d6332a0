//! Whom a client trusts, and who it says that it is.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, LazyLock, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::lua::error::LibError;

/// What a client may say about TLS; empty for all that have said nothing.
#[derive(Default)]
pub(in crate::lua::std) struct Trust {
    /// Certificates of the only authorities that count.
    pub ca: Option<Vec<CertificateDer<'static>>>,
    /// The client's own certificate, with those between, and its key.
    pub own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    /// Anyone is trusted.
    pub insecure: bool,
}

impl Trust {
    fn is_usual(&self) -> bool {
        self.ca.is_none() && self.own.is_none() && !self.insecure
    }
}

/// The certificates of a PEM file, at least one.
///
/// # Errors
/// When the file cannot be read or holds none.
pub(in crate::lua::std) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, LibError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(LibError::parse("holds no certificate in PEM").path(path)),
        Err(error) => Err(bad_pem(&error, path)),
    }
}

/// The first private key of a PEM file.
///
/// # Errors
/// When the file cannot be read or holds none.
pub(in crate::lua::std) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, LibError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        pem::Error::NoItemsFound => LibError::parse("holds no private key in PEM").path(path),
        other => bad_pem(&other, path),
    })
}

fn bad_pem(error: &pem::Error, path: &Path) -> LibError {
    match error {
        pem::Error::Io(io) if io.kind() != ErrorKind::InvalidData => LibError::file(io, path),
        other => LibError::parse(format!("is no PEM file: {other}")).path(path),
    }
}

/// The usual configuration is one for the process: its threads share the certificates and the sessions.
///
/// # Errors
/// When certificates and keys do not fit each other.
pub(in crate::lua::std) fn config(trust: Trust) -> Result<ClientConfig, LibError> {
    static USUAL: OnceLock<ClientConfig> = OnceLock::new();
    if !trust.is_usual() {
        return build(trust);
    }
    match USUAL.get() {
        Some(config) => Ok(config.clone()),
        None => {
            let made = build(trust)?;
            Ok(USUAL.get_or_init(|| made).clone())
        }
    }
}

fn build(trust: Trust) -> Result<ClientConfig, LibError> {
    let failed = |error: rustls::Error| LibError::new("tls", error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match trust.ca {
        _ if trust.insecure => Arc::new(Anyone(Arc::clone(&provider))),
        None => Arc::new(LazyVerifier::new(Arc::clone(&provider))),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for certificate in ca {
                roots.add(certificate).map_err(failed)?;
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| LibError::new("tls", error.to_string()))?
        }
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    match trust.own {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(failed),
    }
}

/// `insecure = true`: certificates are not looked at, signatures are.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
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
