//! What TLS listeners show: a certificate that is exchanged while connections are open.
//! HTTP/1.1 before HTTP/2: upgrades cannot happen inside a negotiated HTTP/2 connection.

mod files;
mod pair;

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

pub use files::CertificateFiles;
pub use pair::{Pair, TlsError};

/// What a client offers that speaks HTTP/2.
pub const HTTP2: &[u8] = b"h2";

/// The certificate of a listener.
pub struct Shown(ArcSwap<Pair>);

impl Shown {
    /// This one, until there is another.
    pub fn new(pair: Pair) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(pair)))
    }

    /// New connections get this one.
    pub fn exchange(&self, pair: Pair) {
        self.0.store(Arc::new(pair));
    }

    /// What new connections get.
    pub fn pair(&self) -> Arc<Pair> {
        self.0.load_full()
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shown").field(&self.0.load().expires()).finish()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load().certified())
    }
}

/// TLS that shows whatever there is to show.
pub fn server_config(shown: Arc<Shown>) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(shown);
    config.alpn_protocols = vec![b"http/1.1".to_vec(), HTTP2.to_vec()];
    Arc::new(config)
}
