//! Certificates of the listeners. HTTP/1.1 before HTTP/2: upgrades cannot happen inside a negotiated HTTP/2 connection.

use std::{path::PathBuf, sync::Arc};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::{config::TlsFiles, relay::certificate::SelfSigned};

/// What a client offers that speaks HTTP/2.
pub const HTTP2: &[u8] = b"h2";

/// Why a listener has no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read as PEM.
    #[error("{path}: {cause}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        cause: rustls::pki_types::pem::Error,
    },
    /// The chain file holds no certificate.
    #[error("{path}: no certificate in it")]
    Empty {
        /// Which one.
        path: PathBuf,
    },
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
    /// The same of a certificate of our own.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The certificate that the operator configured.
pub fn from_files(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let unreadable = |path: &PathBuf| {
        let path = path.clone();
        move |cause| TlsError::File { path, cause }
    };
    let chain = CertificateDer::pem_file_iter(&files.cert_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable(&files.cert_file))?;
    if chain.is_empty() {
        return Err(TlsError::Empty { path: files.cert_file.clone() });
    }
    let key = PrivateKeyDer::from_pem_file(&files.key_file).map_err(unreadable(&files.key_file))?;
    server_config(chain, key).map_err(|cause| TlsError::Files {
        cert_file: files.cert_file.clone(),
        key_file: files.key_file.clone(),
        cause,
    })
}

/// The certificate that the relay made for itself.
pub fn from_self_signed(own: SelfSigned) -> Result<Arc<ServerConfig>, TlsError> {
    Ok(server_config(vec![own.cert_der], own.key_der)?)
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec(), HTTP2.to_vec()];
    Ok(Arc::new(config))
}
