//! Certificates from an authority, by ACME.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use http::Uri;

use super::File;

const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Where certificates come from, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeConfig {
    /// Names in the certificate.
    pub names: Vec<String>,
    /// The authority.
    pub directory: String,
    /// Whom it writes to.
    pub email: Option<String>,
    /// What is trusted of the authority's own certificate, in the place of what the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Where its HTTP-01 proofs are; none for TLS-ALPN-01 on the server's own listener.
    pub http_listen: Option<SocketAddr>,
}

/// As it is written, for a server whose URL begins with `https` or not and leads to this host; what is wrong with it goes
/// to `mistake`.
pub fn acme(
    file: &File,
    (is_https, host): (bool, &str),
    mistake: &mut impl FnMut(&str, String, &str),
) -> Option<AcmeConfig> {
    let acme = file.acme.as_ref()?;
    if file.tls.is_some() {
        mistake("acme", "there is `tls`, too".into(), "a certificate comes from files or from an authority");
    }
    if !is_https {
        mistake("acme", "server_url is not https".into(), "for example server_url: https://mesh.example.com");
    }
    if host.parse::<IpAddr>().is_ok() || !host.contains('.') {
        let message = format!("no authority knows {host:?}, the host of server_url");
        mistake("acme", message, "a name that is known in the whole internet");
    }
    let directory = acme.directory.clone().unwrap_or_else(|| LETS_ENCRYPT.to_owned());
    let is_url = directory.parse::<Uri>().is_ok_and(|url| url.scheme_str() == Some("https"));
    if !is_url {
        mistake("acme.directory", format!("{directory:?} is no https URL"), LETS_ENCRYPT);
    }
    if acme.email.as_ref().is_some_and(|email| !email.contains('@') || email.contains([' ', ','])) {
        mistake("acme.email", "is no address for mail".into(), "for example ops@example.com");
    }
    let http_listen = acme.http_listen.as_ref().and_then(|text| match text.parse() {
        Ok(address) => Some(address),
        Err(_) => {
            let message = format!("{text:?} is no address with a port");
            mistake("acme.http_listen", message, "for example [::]:80");
            None
        }
    });
    Some(AcmeConfig {
        names: vec![host.to_owned()],
        directory,
        email: acme.email.clone(),
        ca_file: acme.ca_file.clone(),
        http_listen,
    })
}
