//! What outlives a start: the account, and the certificate with its key. Written whole or not at all, for the owner only.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest;
use instant_acme::AccountCredentials;
use zeroize::Zeroizing;

use super::{super::TlsError, AcmeError, Pair};

const CERTIFICATE: &str = "certificate.pem";
const MOST_BYTES: u64 = 1 << 20;

/// The folder `acme` of the data folder.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn open(data_dir: &Path) -> Result<Self, TlsError> {
        let path = data_dir.join("acme");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|cause| TlsError::Read { path: path.clone(), cause })?;
        Ok(Self(path))
    }

    /// The certificate that was kept.
    pub(super) fn certificate(&self) -> Result<Option<Pair>, TlsError> {
        let path = self.0.join(CERTIFICATE);
        let pem = read(&path).map_err(|cause| TlsError::Read { path, cause })?;
        pem.map(|pem| Pair::from_pem(&pem)).transpose()
    }

    pub(super) fn keep_certificate(&self, pem: &[u8]) -> Result<(), AcmeError> {
        self.keep(&self.0.join(CERTIFICATE), pem)
    }

    /// The account at this authority.
    pub(super) fn account(&self, directory: &str) -> Result<Option<AccountCredentials>, AcmeError> {
        let path = self.account_file(directory);
        let wrong = |why: String| AcmeError::Folder(format!("{}: {why}", path.display()));
        let text = read(&path).map_err(|e| wrong(e.to_string()))?;
        // The words of a JSON error may repeat what stands in the file.
        let parse = |text: Zeroizing<Vec<u8>>| {
            serde_json::from_slice(&text)
                .map_err(|_| wrong("is no account; move it away, and another is made".into()))
        };
        text.map(parse).transpose()
    }

    pub(super) fn keep_account(
        &self,
        directory: &str,
        account: &AccountCredentials,
    ) -> Result<(), AcmeError> {
        let text = serde_json::to_vec(account).map_err(|e| AcmeError::Folder(e.to_string()))?;
        self.keep(&self.account_file(directory), &Zeroizing::new(text))
    }

    /// The authority does not know it.
    pub(super) fn forget_account(&self, directory: &str) {
        let _ = std::fs::remove_file(self.account_file(directory));
    }

    fn account_file(&self, directory: &str) -> PathBuf {
        let digest = digest::digest(&digest::SHA256, directory.as_bytes());
        self.0.join(format!("account-{}.json", hex::encode(&digest.as_ref()[..8])))
    }

    fn keep(&self, path: &Path, bytes: &[u8]) -> Result<(), AcmeError> {
        let fresh = path.with_extension("new");
        let write = || -> io::Result<()> {
            match std::fs::remove_file(&fresh) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&fresh, path)?;
            File::open(&self.0)?.sync_all()
        };
        write().map_err(|e| AcmeError::Folder(format!("{}: {e}", path.display())))
    }
}

fn read(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn what_is_kept_is_for_the_owner_only_and_replaced_whole() {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder::open(data.path()).unwrap();
        assert!(folder.certificate().unwrap().is_none());
        folder.keep_certificate(b"torn").unwrap();
        assert!(folder.certificate().is_err(), "and what is no certificate is said");
        let own = rcgen::generate_simple_self_signed(["mesh.example".to_owned()]).unwrap();
        let pem = own.signing_key.serialize_pem() + &own.cert.pem();
        folder.keep_certificate(pem.as_bytes()).unwrap();
        let pair = folder.certificate().unwrap().unwrap();
        assert!(pair.names(&["mesh.example".into()]) && !pair.names(&["other.example".into()]));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&folder.0), mode(&folder.0.join(CERTIFICATE))), (0o700, 0o600));
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn each_authority_has_an_account_of_its_own() {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder::open(data.path()).unwrap();
        let [one, other] = ["https://a.example/dir", "https://b.example/dir"];
        std::fs::write(folder.account_file(one), "{\"key\": \"secret words\"").unwrap();
        let said = folder.account(one).err().unwrap().to_string();
        assert!(said.contains("account-") && !said.contains("secret words"), "{said}");
        assert!(folder.account(other).unwrap().is_none());
    }
}
