//! What the listeners show, and what clients are told to expect of the relay's.

use std::sync::Arc;

use rustls::ServerConfig;

use super::Fault;
use crate::{
    certificate::{Acme, Certificate, CertificateFiles, Pair, Shown, TlsError, server_config},
    config::Config,
    files,
    relay::certificate,
};

/// TLS of each listener that has it.
pub(super) struct Certificates {
    pub(super) main: Option<Arc<ServerConfig>>,
    pub(super) relay: Option<Arc<ServerConfig>>,
    pub(super) relay_cert_name: Option<String>,
    /// Where the main one comes from.
    pub(super) source: Option<Certificate>,
}

impl Certificates {
    pub(super) fn load(config: &Config) -> Result<Self, Fault> {
        let source = source(config)?;
        let by_tls = config.acme.as_ref().is_some_and(|acme| acme.http_listen.is_none());
        let main = source.as_ref().map(|source| server_config(source.shown(), by_tls));
        if main.is_some() || config.relay.as_ref().is_none_or(|relay| relay.listen.is_none()) {
            return Ok(Self { relay: main.clone(), main, relay_cert_name: None, source });
        }
        let hosts: Vec<String> = config.relay.iter().map(|r| r.host.clone()).collect();
        files::key(&config.data_dir.join(certificate::KEY_FILE))?;
        let own = certificate::load_or_create(&config.data_dir, &hosts)?;
        let relay_cert_name = Some(own.cert_name());
        let pair = Pair::new(vec![own.cert_der], own.key_der).map_err(TlsError::from)?;
        Ok(Self { main, relay: Some(server_config(Shown::new(pair), false)), relay_cert_name, source })
    }
}

fn source(config: &Config) -> Result<Option<Certificate>, Fault> {
    if let Some(acme) = config.acme.clone() {
        return Ok(Some(Certificate::Acme(Acme::open(acme, &config.data_dir)?)));
    }
    let Some(tls) = config.tls.clone() else { return Ok(None) };
    files::key(&tls.key_file)?;
    Ok(Some(Certificate::Files(CertificateFiles::open(tls, files::key_is_safe)?)))
}
