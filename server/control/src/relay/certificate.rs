//! The relay's own certificate: self-signed, and pinned by clients through the DERP map's `CertName`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::{
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use zeroize::Zeroizing;

const CERT_FILE: &str = "derp-cert.pem";
/// The private key's file in the data folder.
pub const KEY_FILE: &str = "derp-key.pem";
const COMMON_NAME: &str = "meshctl relay";
const VALID_FROM_YEAR: i32 = 2020;
const VALID_UNTIL_YEAR: i32 = 2120;
const SAN_DNS: u8 = 0x82;
const SAN_IP: u8 = 0x87;

/// A certificate and its key.
#[derive(Debug)]
pub struct SelfSigned {
    pub cert_der: CertificateDer<'static>,
    pub key_der: PrivateKeyDer<'static>,
    /// Of the certificate's DER bytes.
    pub sha256: [u8; 32],
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("{path}: {source}", path = path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
}

impl SelfSigned {
    /// What a DERP map node's `CertName` says, so that clients accept exactly this certificate. Clients older than
    /// 1.82 and the Rust crate cannot use it.
    pub fn cert_name(&self) -> String {
        format!("sha256-raw:{}", hex::encode(self.sha256))
    }

    fn new(cert_der: CertificateDer<'static>, key_der: PrivateKeyDer<'static>) -> Self {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest::digest(&digest::SHA256, &cert_der).as_ref());
        Self { cert_der, key_der, sha256 }
    }
}

/// The certificate kept in `data_dir` (`derp-cert.pem`, `derp-key.pem`, mode 0600). If there is none, or it is
/// damaged or lacks one of `names` (host names or IP addresses), a new one takes its place: the pin changes, and
/// with it the DERP map. The caller must hold the data directory's lock.
pub fn load_or_create(data_dir: &Path, names: &[String]) -> Result<SelfSigned, CertificateError> {
    if let Some(kept) = load(data_dir, names)? {
        return Ok(kept);
    }
    let (cert_path, key_path) = (data_dir.join(CERT_FILE), data_dir.join(KEY_FILE));
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let cert = parameters(names)?.self_signed(&key)?;
    write(data_dir, &key_path, Zeroizing::new(key.serialize_pem()).as_bytes())?;
    write(data_dir, &cert_path, cert.pem().as_bytes())?;
    let key_der = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    Ok(SelfSigned::new(cert.der().clone(), key_der))
}

/// The same, if there is one that would be kept; makes nothing, and so needs no lock.
pub fn load(data_dir: &Path, names: &[String]) -> Result<Option<SelfSigned>, CertificateError> {
    let (cert, key) = (read(&data_dir.join(CERT_FILE))?, read(&data_dir.join(KEY_FILE))?);
    let kept = cert.zip(key).and_then(|(cert, key)| usable(&cert, &key));
    Ok(kept.filter(|kept| names.iter().all(|name| covers(&kept.cert_der, name))))
}

fn parameters(names: &[String]) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(names)?;
    parameters.not_before = date_time_ymd(VALID_FROM_YEAR, 1, 1);
    parameters.not_after = date_time_ymd(VALID_UNTIL_YEAR, 1, 1);
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, COMMON_NAME);
    Ok(parameters)
}

/// The pair, if both parts can be read and belong together; a crash between two renames leaves such that do not.
fn usable(cert: &[u8], key: &[u8]) -> Option<SelfSigned> {
    let cert = CertificateDer::from_pem_slice(cert).ok()?;
    let key = PrivateKeyDer::from_pem_slice(key).ok()?;
    CertifiedKey::from_der(vec![cert.clone()], key.clone_key(), &default_provider()).ok()?;
    Some(SelfSigned::new(cert, key))
}

/// Whether the certificate names it. Looks for the encoded name (tag, length, value) instead of parsing X.509: the
/// file is our own work.
fn covers(cert_der: &[u8], name: &str) -> bool {
    let (tag, value) = match name.parse() {
        Ok(IpAddr::V4(ip)) => (SAN_IP, ip.octets().to_vec()),
        Ok(IpAddr::V6(ip)) => (SAN_IP, ip.octets().to_vec()),
        Err(_) => (SAN_DNS, name.as_bytes().to_vec()),
    };
    let Ok(length) = u8::try_from(value.len()) else { return false };
    let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    let wanted = [head, value].concat();
    cert_der.windows(wanted.len()).any(|window| window == wanted)
}

fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, CertificateError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(CertificateError::File { path: path.to_owned(), source }),
    }
}

/// After a crash the path holds either what it held or all of `bytes`.
fn write(data_dir: &Path, path: &Path, bytes: &[u8]) -> Result<(), CertificateError> {
    let attempt = || {
        let temporary = path.with_extension("pem.new");
        match fs::remove_file(&temporary) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(data_dir)?.sync_all()
    };
    attempt().map_err(|source| CertificateError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn it_is_kept_private_and_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = names(&["derp.example.net", "192.0.2.7", "2001:db8::7"]);
        let first = load_or_create(dir.path(), &wanted).unwrap();
        let second = load_or_create(dir.path(), &wanted[1..]).unwrap();
        assert_eq!(first.cert_name(), second.cert_name());
        assert_eq!(first.key_der, second.key_der);
        for entry in fs::read_dir(dir.path()).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        assert!(!format!("{first:?}").contains(&format!("{:?}", &first.key_der.secret_der()[..4])));
    }

    #[test]
    fn a_missing_name_or_a_damaged_pair_makes_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let old = load_or_create(dir.path(), &names(&["a.example.net"])).unwrap();
        let new = load_or_create(dir.path(), &names(&["example.net"])).unwrap();
        assert_ne!(old.sha256, new.sha256);

        let key = fs::read(dir.path().join(KEY_FILE)).unwrap();
        let torn = load_or_create(dir.path(), &names(&["b.example.net"])).unwrap();
        fs::write(dir.path().join(KEY_FILE), key).unwrap();
        let mended = load_or_create(dir.path(), &names(&["b.example.net"])).unwrap();
        assert_ne!(torn.sha256, mended.sha256);
        fs::write(dir.path().join(CERT_FILE), "").unwrap();
        let again = load_or_create(dir.path(), &names(&["b.example.net"])).unwrap();
        assert_ne!(mended.sha256, again.sha256);
        let [cert, key] = [CERT_FILE, KEY_FILE].map(|file| fs::read(dir.path().join(file)).unwrap());
        assert_eq!(usable(&cert, &key).unwrap().sha256, again.sha256);
    }
}
