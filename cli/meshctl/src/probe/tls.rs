//! A connection, with TLS where it is wanted; what was presented is remembered, trusted or not.

use std::{
    fmt, io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::PATIENCE;
use crate::talk::Failure;

/// A connection of either kind.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection.
pub type Stream = Box<dyn Duplex>;

/// Whom to trust beside the authorities of the operating system.
#[derive(Clone, Default)]
pub struct Trust {
    roots: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// The certificates of a PEM file.
    pub fn from_file(path: &Path) -> Result<Self, Failure> {
        let bad = |why: String| Failure::usage(format!("{}: {why}", path.display()));
        let certificates = CertificateDer::pem_file_iter(path).map_err(|e| bad(e.to_string()))?;
        let roots: Result<Vec<_>, _> = certificates.collect();
        match roots.map_err(|e| bad(e.to_string()))? {
            roots if roots.is_empty() => Err(bad("there is no certificate in it".into())),
            roots => Ok(Self { roots }),
        }
    }
}

impl Trust {
    /// TLS that refuses whoever is not trusted.
    pub fn strict(&self) -> Result<ClientConfig, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let judge =
            rustls_platform_verifier::Verifier::new_with_extra_roots(self.roots.clone(), provider.clone())?;
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(judge)).with_no_client_auth())
    }
}

/// What was presented in a TLS handshake.
#[derive(Debug, Clone, Default)]
pub struct Presented {
    /// Leaf first.
    pub chain: Vec<Vec<u8>>,
    /// Why it is not trusted.
    pub distrust: Option<String>,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum NoWay {
    /// Nobody listens.
    Refused,
    /// No answer, or no route.
    Unreachable(String),
    /// TLS came to nothing.
    Tls(String),
}

/// Connects; with a host name through TLS. The chain is taken whatever it is worth: nothing secret is sent.
pub async fn connect(
    at: SocketAddr,
    host: Option<&str>,
    trust: &Trust,
) -> Result<(Stream, Option<Presented>), NoWay> {
    let tcp = match timeout(PATIENCE, TcpStream::connect(at)).await {
        Err(_) => return Err(NoWay::Unreachable(format!("no answer within {} s", PATIENCE.as_secs()))),
        Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => return Err(NoWay::Refused),
        Ok(Err(e)) => return Err(NoWay::Unreachable(e.to_string())),
        Ok(Ok(tcp)) => tcp,
    };
    let Some(host) = host else { return Ok((Box::new(tcp), None)) };
    let tls = |why: String| NoWay::Tls(why);
    let name = ServerName::try_from(host.to_owned()).map_err(|e| tls(e.to_string()))?;
    let witness = Arc::new(Witness::new(trust).map_err(|e| tls(e.to_string()))?);
    let config = ClientConfig::builder_with_provider(witness.provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| tls(e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(witness.clone())
        .with_no_client_auth();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let stream = match timeout(PATIENCE, connecting).await {
        Err(_) => return Err(NoWay::Tls(format!("no handshake within {} s", PATIENCE.as_secs()))),
        Ok(stream) => stream.map_err(|e| tls(e.to_string()))?,
    };
    let presented = witness.presented.lock().map(|p| p.clone()).unwrap_or_default();
    Ok((Box::new(stream), Some(presented)))
}

/// Remembers what was presented and what the operating system's authorities think of it, and lets it pass.
struct Witness {
    provider: Arc<CryptoProvider>,
    judge: Option<rustls_platform_verifier::Verifier>,
    presented: Mutex<Presented>,
}

impl Witness {
    fn new(trust: &Trust) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let judge =
            rustls_platform_verifier::Verifier::new_with_extra_roots(trust.roots.clone(), provider.clone())
                .ok();
        Ok(Self { provider, judge, presented: Mutex::default() })
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness")
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let distrust = match &self.judge {
            None => Some("this system trusts no authority".to_owned()),
            Some(judge) => judge.verify_server_cert(leaf, others, name, ocsp, now).err().map(|e| why(&e)),
        };
        if let Ok(mut presented) = self.presented.lock() {
            let chain = std::iter::once(leaf).chain(others).map(|c| c.as_ref().to_vec()).collect();
            *presented = Presented { chain, distrust };
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn why(e: &Error) -> String {
    match e {
        Error::InvalidCertificate(inner) => inner.to_string(),
        other => other.to_string(),
    }
}
