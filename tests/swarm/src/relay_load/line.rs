//! One connection to a relay, as official clients make it: TLS, the upgrade that waits for no answer, the hello.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result, bail};
use derp::{ClientInfo, ClientKey, Decoder, Frame};
use ident::NodeKey;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

const UPGRADE: &[u8] = b"GET /derp HTTP/1.1\r\nHost: relay\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\
      Derp-Fast-Start: 1\r\n\r\n";
const READ_BYTES: usize = 64 << 10;
/// What one who will read only now and then takes before it does: little, so that the relay feels it soon.
const NARROW_BYTES: u32 = 4 << 10;

/// The stream below the frames. Reads are wide, so that the generator leaves the processor to the relay.
pub type Stream = TlsStream<BufReader<TcpStream>>;

/// A client that said hello.
pub struct Line {
    pub key: NodeKey,
    pub stream: Stream,
    pub decoder: Decoder,
}

/// Connects to one relay.
pub struct Dialer {
    address: SocketAddr,
    tls: TlsConnector,
}

impl Dialer {
    pub fn new(address: SocketAddr) -> Result<Self> {
        let provider = Arc::new(like_official_clients());
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Whoever(provider)))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { address, tls: TlsConnector::from(Arc::new(config)) })
    }

    pub async fn connect(&self, key: &ClientKey, narrow: bool) -> Result<Line> {
        let socket = TcpSocket::new_v4()?;
        if narrow {
            socket.set_recv_buffer_size(NARROW_BYTES)?;
        }
        let tcp = socket.connect(self.address).await.context("connecting to the relay")?;
        tcp.set_nodelay(true)?;
        let tcp = BufReader::with_capacity(READ_BYTES, tcp);
        let name = ServerName::IpAddress(self.address.ip().into());
        let mut stream = self.tls.connect(name, tcp).await.context("TLS with the relay")?;
        stream.write_all(UPGRADE).await?;
        let mut line = Line { key: key.public(), stream, decoder: Decoder::new() };
        let Frame::ServerKey(server) = line.next().await? else { bail!("a relay that says hello first") };
        let info =
            ClientInfo { version: derp::PROTOCOL_VERSION, can_ack_pings: true, ..ClientInfo::default() };
        let mut nonce = [0; 24];
        aws_lc_rs::default_provider().secure_random.fill(&mut nonce).ok().context("random bytes")?;
        line.write(&key.seal_client_info(&server, nonce, &info)?.to_bytes()).await?;
        let Frame::ServerInfo { sealed } = line.next().await? else { bail!("a relay that answers a hello") };
        key.open_server_info(&server, &sealed)?;
        Ok(line)
    }
}

impl Line {
    pub async fn next(&mut self) -> Result<Frame> {
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(frame);
            }
            self.more().await?;
        }
    }

    /// Reads what is there; an end of the stream is an error.
    pub async fn more(&mut self) -> Result<()> {
        let buffer = self.decoder.buffer();
        buffer.reserve(2 << 10);
        if self.stream.read_buf(buffer).await? == 0 {
            bail!("the relay ended the connection");
        }
        Ok(())
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }
}

/// They ask for 128-bit keys first.
fn like_official_clients() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| !format!("{:?}", suite.suite()).contains("AES_128"));
    provider
}

/// Load is measured, not trust: the relay is on this machine and was just started.
#[derive(Debug)]
struct Whoever(Arc<CryptoProvider>);

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
