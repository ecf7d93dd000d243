//! A certificate authority of the lab's own, and a server that shows a certificate from it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lab::{Host, RELAY_PORT, SERVER_ADDRESS, Server};

pub const URL: &str = "https://172.30.0.10:8080";
/// An ephemeral node is forgotten this soon after it went.
const GRACES: &str = "leaving_grace: 1s\nephemeral_grace: 2s\n";
const EC: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/// Files of one authority; nobody trusts it unless told to.
pub struct Authority {
    dir: PathBuf,
}

impl Authority {
    /// Makes the authority called `name` below the folder of `host`, with the tools there.
    pub fn new(host: &Host, name: &str) -> Result<Self> {
        let authority = Self { dir: host.dir().join(name) };
        fs::create_dir_all(&authority.dir)?;
        let subject = format!("/CN={name}");
        let mut words = vec!["openssl", "req", "-x509", "-days", "2", "-subj", &subject];
        words.extend(["-addext", "keyUsage=critical,keyCertSign"]);
        authority.request(host, &words, "authority")?;
        Ok(authority)
    }

    /// The root certificate, which a client is given to trust.
    pub fn roots(&self) -> PathBuf {
        self.dir.join("authority.pem")
    }

    /// Gives `server`, which runs on `host`, a certificate for its address and starts it anew with it.
    pub fn secure(&self, server: &mut Server<'_>, host: &Host) -> Result<()> {
        let (root, key) = (self.roots(), self.dir.join("authority.key"));
        let name = format!("subjectAltName=IP:{SERVER_ADDRESS}");
        let mut words = vec!["openssl", "req", "-x509", "-days", "2", "-subj", "/CN=control"];
        words.extend(["-CA", text(&root)?, "-CAkey", text(&key)?, "-addext", &name]);
        words.extend([
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-addext",
            "extendedKeyUsage=serverAuth",
        ]);
        self.request(host, &words, "server")?;
        let config = format!(
            "server_url: {URL}\nlisten: {SERVER_ADDRESS}:8080\ndata_dir: {data}\n{GRACES}\
             tls:\n  cert_file: {dir}/server.pem\n  key_file: {dir}/server.key\n\
             relay:\n  listen: {SERVER_ADDRESS}:{RELAY_PORT}\n  stun: {SERVER_ADDRESS}:3478\n",
            data = host.dir().join("data").display(),
            dir = self.dir.display(),
        );
        fs::write(host.dir().join("server.yaml"), config)?;
        server.start_again()
    }

    /// Makes everything on `host` that trusts public authorities trust this one too.
    pub fn trusted_by(&self, host: &Host) -> Result<()> {
        const ADD: &str = "mkdir -p /etc/ssl/certs && cat >>/etc/ssl/certs/ca-certificates.crt";
        host.feed(&["sh", "-c", ADD], &fs::read_to_string(self.roots())?).map(drop)
    }

    fn request(&self, host: &Host, words: &[&str], file: &str) -> Result<()> {
        let (certificate, key) = (self.dir.join(format!("{file}.pem")), self.dir.join(format!("{file}.key")));
        let mut all = words.to_vec();
        all.extend(EC);
        all.extend(["-out", text(&certificate)?, "-keyout", text(&key)?]);
        host.exec(&all).map(drop)
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
