//! TLS as rustls does it, without buffers in between: records are opened where they were read to, and sealed into a
//! buffer that all connections share.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::{
    ServerConfig,
    pki_types::PrivateKeyDer,
    server::UnbufferedServerConnection,
    unbuffered::{ConnectionState, UnbufferedStatus},
};

/// The longest record with its header.
pub const RECORD_BYTES: usize = 5 + (16 << 10) + 256;
/// What rustls seals at once.
const FRAGMENT_BYTES: usize = 16 << 10;
/// Header, inner type and tag of a record.
const AROUND_BYTES: usize = 5 + 1 + 16;

/// With a certificate that is made on the spot.
pub fn config() -> Result<Arc<ServerConfig>> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let mut config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// One connection.
pub struct Tunnel {
    tls: UnbufferedServerConnection,
    /// The beginning of a record.
    rest: Vec<u8>,
}

impl Tunnel {
    pub fn new(config: &Arc<ServerConfig>) -> Result<Self> {
        Ok(Self { tls: UnbufferedServerConnection::new(Arc::clone(config))?, rest: Vec::new() })
    }

    /// The beginning of a record that came before, which belongs in front of what comes next.
    pub fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }

    /// Appends to `plain` what the client said in these bytes, and to `answer` what TLS itself has to say to them.
    pub fn open(&mut self, came: &mut [u8], plain: &mut Vec<u8>, answer: &mut Vec<u8>) -> Result<()> {
        let mut at = 0;
        loop {
            let UnbufferedStatus { mut discard, state, .. } = self.tls.process_tls_records(&mut came[at..]);
            let more = match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        plain.extend_from_slice(record.payload);
                        discard += record.discard;
                    }
                    true
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    let from = answer.len();
                    answer.resize(from + RECORD_BYTES, 0);
                    let bytes = data.encode(&mut answer[from..])?;
                    answer.truncate(from + bytes);
                    true
                }
                ConnectionState::TransmitTlsData(data) => {
                    data.done();
                    true
                }
                ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) => false,
                other => bail!("a connection that ends: {other:?}"),
            };
            at += discard;
            if !more {
                self.rest = came[at..].to_vec();
                return Ok(());
            }
        }
    }

    /// Seals all of it into the front of `sealed`, which must have room for [`sealed_bytes`]; answers how long that is.
    pub fn seal(&mut self, plain: &[u8], sealed: &mut [u8]) -> Result<usize> {
        match self.tls.process_tls_records(&mut []).state? {
            ConnectionState::WriteTraffic(mut traffic) => {
                traffic.encrypt(plain, sealed).context("room for what is sealed")
            }
            other => bail!("a connection that cannot be written to: {other:?}"),
        }
    }
}

/// Room that so many bytes need at most when they are sealed.
pub const fn sealed_bytes(plain: usize) -> usize {
    plain + (plain / FRAGMENT_BYTES + 1) * AROUND_BYTES
}
