//! The two messages that open a channel: who is there, and the keys of the records.

use ident::{MachineKey, Secret};
use snow::{Builder, HandshakeState, params::NoiseParams};

use crate::{
    PrivateKey, Transport,
    frame::{ERROR, HEADER_LEN, INITIATION, INITIATION_LEN, RESPONSE, RESPONSE_LEN, header, read_header},
    primitive::Primitives,
};

const PATTERN: &str = "Noise_IK_25519_ChaChaPoly_BLAKE2s";
/// Bytes of the version, in front of an initiation's header.
const VERSION_LEN: usize = 2;

/// Why a handshake came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    #[error("a handshake message of another length or type")]
    Shape,
    #[error("the handshake does not authenticate")]
    Refused,
    /// What an error frame said; anyone between the two sides may have written it.
    #[error("the server refused the handshake: {0}")]
    Server(String),
}

impl From<snow::Error> for HandshakeError {
    fn from(_: snow::Error) -> Self {
        Self::Refused
    }
}

/// The version a client names in its initiation; nothing proves it before the handshake is done.
pub fn initiation_version(initiation: &[u8]) -> Result<u16, HandshakeError> {
    let (version, rest) = initiation.split_first_chunk().ok_or(HandshakeError::Shape)?;
    let body = INITIATION_LEN - VERSION_LEN - HEADER_LEN;
    if initiation.len() != INITIATION_LEN || read_header(rest) != Some((INITIATION, body)) {
        return Err(HandshakeError::Shape);
    }
    Ok(u16::from_be_bytes(*version))
}

/// The server's side.
#[derive(Debug)]
pub struct Responder;

/// A channel that a client opened.
#[derive(Debug)]
pub struct Accepted {
    /// To be sent before any record.
    pub response: [u8; RESPONSE_LEN],
    /// Who the client is, proved.
    pub machine: MachineKey,
    /// The client's capability version.
    pub version: u16,
    pub transport: Transport,
}

impl Responder {
    /// Answers one initiation. `ephemeral` must be fresh random bytes, used for nothing else.
    pub fn accept(
        static_private: &PrivateKey,
        ephemeral: [u8; 32],
        initiation: &[u8],
    ) -> Result<Accepted, HandshakeError> {
        let version = initiation_version(initiation)?;
        let prologue = prologue(version);
        let mut state = builder(static_private, ephemeral)?
            .local_private_key(static_private.raw())?
            .prologue(prologue.as_bytes())?
            .build_responder()?;
        expect(state.read_message(&initiation[VERSION_LEN + HEADER_LEN..], &mut [0; INITIATION_LEN])?, 0)?;

        let mut response = [0; RESPONSE_LEN];
        response[..HEADER_LEN].copy_from_slice(&header(RESPONSE, (RESPONSE_LEN - HEADER_LEN) as u16));
        expect(state.write_message(&[], &mut response[HEADER_LEN..])?, RESPONSE_LEN - HEADER_LEN)?;

        let machine = state.get_remote_static().and_then(|k| <[u8; 32]>::try_from(k).ok());
        let machine = machine.and_then(|k| MachineKey::from_bytes(k).ok()).ok_or(HandshakeError::Refused)?;
        let (from_client, to_client) = split(&mut state);
        let transport =
            Transport::new(to_client.expose(), from_client.expose()).ok_or(HandshakeError::Refused)?;
        Ok(Accepted { response, machine, version, transport })
    }
}

/// The client's side, between its message and the answer.
pub struct Initiator(HandshakeState);

impl Initiator {
    /// The first message, and what is needed to read the answer. `ephemeral` must be fresh random bytes.
    pub fn new(
        static_private: &PrivateKey,
        server: MachineKey,
        ephemeral: [u8; 32],
        version: u16,
    ) -> Result<([u8; INITIATION_LEN], Self), HandshakeError> {
        let prologue = prologue(version);
        let mut state = builder(static_private, ephemeral)?
            .local_private_key(static_private.raw())?
            .remote_public_key(server.as_bytes())?
            .prologue(prologue.as_bytes())?
            .build_initiator()?;
        let mut message = [0; INITIATION_LEN];
        let (head, body) = message.split_at_mut(VERSION_LEN + HEADER_LEN);
        head[..VERSION_LEN].copy_from_slice(&version.to_be_bytes());
        head[VERSION_LEN..].copy_from_slice(&header(INITIATION, body.len() as u16));
        let len = body.len();
        expect(state.write_message(&[], body)?, len)?;
        Ok((message, Self(state)))
    }

    /// Reads the answer: exactly the 51 bytes of a response, or a whole error frame.
    pub fn finish(mut self, response: &[u8]) -> Result<Transport, HandshakeError> {
        let (kind, len) = read_header(response).ok_or(HandshakeError::Shape)?;
        let body = &response[HEADER_LEN..];
        match kind {
            ERROR if body.len() == len => {
                Err(HandshakeError::Server(String::from_utf8_lossy(body).into_owned()))
            }
            RESPONSE if response.len() == RESPONSE_LEN && body.len() == len => {
                expect(self.0.read_message(body, &mut [0; RESPONSE_LEN])?, 0)?;
                let (to_server, from_server) = split(&mut self.0);
                Transport::new(to_server.expose(), from_server.expose()).ok_or(HandshakeError::Refused)
            }
            _ => Err(HandshakeError::Shape),
        }
    }
}

fn prologue(version: u16) -> String {
    format!("Tailscale Control Protocol v{version}")
}

fn builder<'a>(fixed: &PrivateKey, ephemeral: [u8; 32]) -> Result<Builder<'a>, HandshakeError> {
    let params: NoiseParams = PATTERN.parse()?;
    let primitives = Primitives { fixed: fixed.clone(), ephemeral: Secret::new(ephemeral) };
    Ok(Builder::with_resolver(params, Box::new(primitives)))
}

fn expect(len: usize, wanted: usize) -> Result<(), HandshakeError> {
    if len == wanted { Ok(()) } else { Err(HandshakeError::Refused) }
}

/// Keys from client to server, and from server to client.
fn split(state: &mut HandshakeState) -> (Secret<[u8; 32]>, Secret<[u8; 32]>) {
    let (up, down) = state.dangerously_get_raw_split();
    (Secret::new(up), Secret::new(down))
}
