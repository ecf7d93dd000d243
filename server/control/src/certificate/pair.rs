//! A certificate chain and its key, checked against each other.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use rustls::{
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    sign::CertifiedKey,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use zeroize::Zeroizing;

use crate::config::TlsFiles;

const MOST_BYTES: u64 = 1 << 20;

/// Why a listener has no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("{path}: {cause}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file is no PEM.
    #[error("{path}: {cause}")]
    Pem {
        /// Which one.
        path: PathBuf,
        /// Why.
        cause: pem::Error,
    },
    /// The chain file holds no certificate.
    #[error("{path}: no certificate in it")]
    Empty {
        /// Which one.
        path: PathBuf,
    },
    /// The key is where others can put another one.
    #[error("{0}")]
    Unsafe(String),
    /// Certificate and key do not go together, or are of an unknown kind.
    #[error("{cert_file} and {key_file} cannot be used: {cause}")]
    Files {
        /// The chain.
        cert_file: PathBuf,
        /// The key.
        key_file: PathBuf,
        /// Why.
        cause: rustls::Error,
    },
    /// The same of a certificate that is in no configured file.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// A chain and its key.
#[derive(Debug)]
pub struct Pair {
    certified: Arc<CertifiedKey>,
    span: Option<(Timestamp, Timestamp)>,
}

impl Pair {
    /// From PEM files of at most 1 MiB each.
    pub fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let unreadable = |path: &PathBuf| {
            let path = path.clone();
            move |cause| TlsError::Pem { path, cause }
        };
        let TlsFiles { cert_file, key_file } = files;
        let chain = CertificateDer::pem_slice_iter(&bytes(cert_file)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(unreadable(cert_file))?;
        if chain.is_empty() {
            return Err(TlsError::Empty { path: cert_file.clone() });
        }
        let key = PrivateKeyDer::from_pem_slice(&bytes(key_file)?).map_err(unreadable(key_file))?;
        Self::new(chain, key).map_err(|cause| TlsError::Files {
            cert_file: cert_file.clone(),
            key_file: key_file.clone(),
            cause,
        })
    }

    /// Both from one text.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TlsError> {
        let wrong = |e: pem::Error| TlsError::Unusable(rustls::Error::General(e.to_string()));
        let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(wrong)?;
        Ok(Self::new(chain, key)?)
    }

    /// Of a chain, leaf first, and the leaf's key.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, rustls::Error> {
        let span = chain.first().and_then(span);
        let certified = CertifiedKey::from_der(chain, key, &default_provider())?;
        Ok(Self { certified: Arc::new(certified), span })
    }

    /// What rustls shows.
    pub fn certified(&self) -> Arc<CertifiedKey> {
        self.certified.clone()
    }

    /// Whether the leaf is for all of these names.
    pub fn names(&self, names: &[String]) -> bool {
        let Some(leaf) = self.certified.cert.first() else { return false };
        let Ok((_, leaf)) = X509Certificate::from_der(leaf) else { return false };
        let Ok(Some(alternatives)) = leaf.subject_alternative_name() else { return false };
        let has = |name: &String| {
            let general = &alternatives.value.general_names;
            general.iter().any(|g| matches!(g, GeneralName::DNSName(dns) if dns.eq_ignore_ascii_case(name)))
        };
        names.iter().all(has)
    }

    /// When the leaf begins to be good, where that can be read.
    pub fn begins(&self) -> Option<Timestamp> {
        self.span.map(|(from, _)| from)
    }

    /// When the leaf stops being good, where that can be read.
    pub fn expires(&self) -> Option<Timestamp> {
        self.span.map(|(_, until)| until)
    }

    /// Whether clients would take it at this moment, as far as time goes.
    pub fn is_good_at(&self, now: Timestamp) -> bool {
        self.span.is_none_or(|(from, until)| from <= now && now < until)
    }
}

fn bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let read = || {
        // Opening a pipe would wait for its other end.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let mut bytes = Zeroizing::new(Vec::new());
        File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(io::Error::other("it is larger than 1 MiB"));
        }
        Ok(bytes)
    };
    read().map_err(|cause| TlsError::Read { path: path.to_owned(), cause })
}

fn span(leaf: &CertificateDer<'static>) -> Option<(Timestamp, Timestamp)> {
    let (_, leaf) = X509Certificate::from_der(leaf).ok()?;
    let validity = leaf.validity();
    let at = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
    Some((at(validity.not_before)?, at(validity.not_after)?))
}
