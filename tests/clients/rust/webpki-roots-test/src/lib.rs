//! The name that the client takes its trusted roots from, answered by a file of the test's own authority.

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor};

/// The environment variable that names a PEM file of root certificates.
pub const ROOTS_VARIABLE: &str = "TEST_ROOTS_PEM";

/// The roots as the real crate offers them: something that turns into a list. Without a readable file the list is
/// empty, and then no server is trusted.
pub const TLS_SERVER_ROOTS: Roots = Roots;

/// Reads its file at the moment it is turned into a list.
#[derive(Clone, Copy)]
pub struct Roots;

impl From<Roots> for Vec<TrustAnchor<'static>> {
    fn from(_: Roots) -> Self {
        let Some(path) = std::env::var_os(ROOTS_VARIABLE) else { return Vec::new() };
        let Ok(certificates) = CertificateDer::pem_file_iter(path) else { return Vec::new() };
        certificates.flatten().filter_map(|certificate| anchor(&certificate)).collect()
    }
}

fn anchor(certificate: &CertificateDer<'_>) -> Option<TrustAnchor<'static>> {
    webpki::anchor_from_trusted_cert(certificate).ok().map(|anchor| anchor.to_owned())
}
