//! Certificate files of an authority that only these tests trust.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use control::config::TlsFile;
use jiff::{ToSpan, Zoned};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ClientConfig;

/// When a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Good {
    ForEver,
    Past,
    /// Of ninety.
    ThreeDays,
}

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
        self.files_good(folder, name, host, Good::ForEver)
    }

    /// The same, and for how long.
    pub fn files_good(&self, folder: &Path, name: &str, host: &str, good: Good) -> TlsFile {
        let key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::new([host.to_owned()]).unwrap();
        let span = match good {
            Good::ForEver => None,
            Good::Past => Some((-90, -3)),
            Good::ThreeDays => Some((-87, 3)),
        };
        if let Some((from, until)) = span {
            [leaf.not_before, leaf.not_after] = [from, until].map(|days: i32| {
                let day = Zoned::now().checked_add(days.days()).unwrap();
                date_time_ymd(day.year().into(), day.month() as u8, day.day() as u8)
            });
        }
        let leaf = leaf.signed_by(&key, &self.issuer).unwrap();
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
