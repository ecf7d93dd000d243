//! What TLS listeners show: a certificate that is exchanged while connections are open.
//! HTTP/1.1 before HTTP/2: upgrades cannot happen inside a negotiated HTTP/2 connection.

mod acme;
mod files;
mod pair;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwapOption;
use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

pub use acme::Acme;
pub use files::CertificateFiles;
pub use pair::{Pair, TlsError};

/// What a client offers that speaks HTTP/2.
pub const HTTP2: &[u8] = b"h2";

/// What only an authority that checks a name is shown (RFC 8737).
const ACME_TLS: &[u8] = b"acme-tls/1";

/// The certificate of a listener, and what proves to an authority that it is entitled to one.
#[derive(Default)]
pub struct Shown {
    pair: ArcSwapOption<Pair>,
    proofs: Mutex<Proofs>,
}

/// By token and by name.
#[derive(Default)]
struct Proofs {
    tokens: BTreeMap<String, String>,
    certificates: BTreeMap<String, Arc<CertifiedKey>>,
}

impl Shown {
    /// Nothing yet: handshakes fail.
    pub fn empty() -> Arc<Self> {
        Arc::default()
    }

    /// This one, until there is another.
    pub fn new(pair: Pair) -> Arc<Self> {
        let shown = Self::empty();
        shown.exchange(pair);
        shown
    }

    /// New connections get this one.
    pub fn exchange(&self, pair: Pair) {
        self.pair.store(Some(Arc::new(pair)));
    }

    /// What new connections get.
    pub fn pair(&self) -> Option<Arc<Pair>> {
        self.pair.load_full()
    }

    /// What a token is answered with over plain HTTP.
    pub fn token(&self, token: &str) -> Option<String> {
        self.proofs().tokens.get(token).cloned()
    }

    fn proofs(&self) -> MutexGuard<'_, Proofs> {
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show_token(&self, token: &str, answer: &str) {
        self.proofs().tokens.insert(token.to_owned(), answer.to_owned());
    }

    fn show_proof(&self, name: &str, certificate: CertifiedKey) {
        self.proofs().certificates.insert(name.to_ascii_lowercase(), Arc::new(certificate));
    }

    /// Of a token or a name.
    fn hide(&self, key: &str) {
        let mut proofs = self.proofs();
        proofs.tokens.remove(key);
        proofs.certificates.remove(&key.to_ascii_lowercase());
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shown").field(&self.pair().map(|pair| pair.expires())).finish()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if hello.alpn().is_some_and(|mut protocols| protocols.any(|protocol| protocol == ACME_TLS)) {
            let name = hello.server_name()?.to_ascii_lowercase();
            return self.proofs().certificates.get(&name).cloned();
        }
        Some(self.pair()?.certified())
    }
}

/// TLS that shows whatever there is to show; with `proofs`, also to an authority that looks for one.
pub fn server_config(shown: Arc<Shown>, proofs: bool) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(shown);
    config.alpn_protocols = vec![b"http/1.1".to_vec(), HTTP2.to_vec()];
    config.alpn_protocols.extend(proofs.then(|| ACME_TLS.to_vec()));
    Arc::new(config)
}

/// Whether a handshake was all that the other side wanted.
pub fn was_a_look(protocol: Option<&[u8]>) -> bool {
    protocol == Some(ACME_TLS)
}

/// Where the certificate of the main listener comes from.
#[derive(Debug, Clone)]
pub enum Certificate {
    /// From files that are watched.
    Files(Arc<CertificateFiles>),
    /// From an authority.
    Acme(Arc<Acme>),
}

impl Certificate {
    /// What the listener shows.
    pub fn shown(&self) -> Arc<Shown> {
        match self {
            Self::Files(files) => files.shown(),
            Self::Acme(acme) => acme.shown(),
        }
    }

    /// What an operator should know, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        match self {
            Self::Files(files) => files.warnings(),
            Self::Acme(acme) => acme.warnings(),
        }
    }

    /// The files, if it comes from files.
    pub fn files(&self) -> Option<&Arc<CertificateFiles>> {
        match self {
            Self::Files(files) => Some(files),
            Self::Acme(_) => None,
        }
    }
}
