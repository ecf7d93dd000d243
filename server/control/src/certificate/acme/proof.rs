//! What is shown to an authority while it looks, and no longer.

use std::sync::Arc;

use instant_acme::{ChallengeType, KeyAuthorization};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::{crypto::aws_lc_rs::default_provider, pki_types::PrivateKeyDer, sign::CertifiedKey};

use super::{
    super::{Shown, TlsError},
    AcmeError,
};

/// A proof that is on show.
#[derive(Debug)]
pub(super) struct Proof {
    shown: Arc<Shown>,
    key: String,
}

impl Proof {
    /// For HTTP-01, what a token is answered with.
    pub(super) fn token(shown: &Arc<Shown>, token: &str, authorization: &KeyAuthorization) -> Self {
        shown.show_token(token, authorization.as_str());
        Self { shown: shown.clone(), key: token.to_owned() }
    }

    /// For TLS-ALPN-01 (RFC 8737), a certificate that nobody else is shown.
    pub(super) fn certificate(
        shown: &Arc<Shown>,
        name: &str,
        authorization: &KeyAuthorization,
    ) -> Result<Self, AcmeError> {
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new([name.to_owned()])?;
        let digest = authorization.digest();
        parameters.custom_extensions = vec![CustomExtension::new_acme_identifier(digest.as_ref())];
        let certificate = parameters.self_signed(&key)?;
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let key = default_provider().key_provider.load_private_key(key).map_err(TlsError::from)?;
        // Not compared with its key: its critical extension (RFC 8737) is one that rustls refuses to read.
        shown.show_proof(name, CertifiedKey::new(vec![certificate.der().clone()], key));
        Ok(Self { shown: shown.clone(), key: name.to_owned() })
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        self.shown.hide(&self.key);
    }
}

/// Which of the two is configured, its name, and the port at which the authority looks for it.
pub(super) fn kind(by_http: bool) -> (ChallengeType, &'static str, u16) {
    if by_http {
        (ChallengeType::Http01, "http-01", 80)
    } else {
        (ChallengeType::TlsAlpn01, "tls-alpn-01", 443)
    }
}
