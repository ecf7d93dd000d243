//! Certificate files of an authority that only these tests trust.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use control::config::TlsFile;
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ClientConfig;

/// Signs for anybody.
pub struct Authority {
    own: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let own = parameters.self_signed(&key).unwrap();
        Self { own, issuer: Issuer::new(parameters, key) }
    }

    /// Who trusts it, and nobody else.
    pub fn trusted(&self) -> Arc<ClientConfig> {
        harness::trusting(&[self.own.der().clone()]).unwrap()
    }

    /// Its own certificate, for programs that read a file.
    #[allow(dead_code, reason = "only programs want it")]
    pub fn pem(&self) -> String {
        self.own.pem()
    }

    /// Chain and key for this host, as files of this name in the folder.
    pub fn files(&self, folder: &Path, name: &str, host: &str) -> TlsFile {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let write = |kind: &str, text: String| -> PathBuf {
            let path = folder.join(format!("{name}-{kind}.pem"));
            fs::write(&path, text).unwrap();
            path
        };
        TlsFile {
            cert_file: Some(write("chain", leaf.pem() + &self.own.pem())),
            key_file: Some(write("key", key.serialize_pem())),
        }
    }
}
