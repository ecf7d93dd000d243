//! The hello: each side proves to the other that it holds the private half of its key.
//! Both boxes are NaCl boxes (X25519, XSalsa20-Poly1305) between the relay's key and the node's key.

use bytes::Bytes;
use crypto_box::{PublicKey, SalsaBox, SecretKey, aead::Aead};
use ident::{NodeKey, Secret};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::frame::Frame;

/// The one protocol version there is.
pub const PROTOCOL_VERSION: u32 = 2;

/// Random bytes of one box; never used twice with one pair of keys.
pub type Nonce = [u8; 24];

const NONCE_BYTES: usize = 24;

/// Why a hello is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// The box is not from the claimed key, or not for this one.
    #[error("the other side does not hold the key it claims")]
    Box,
    /// The box holds something else than the expected JSON.
    #[error("the hello is not understood")]
    Json,
    /// The client's key is no usable node key.
    #[error("the zero key names nobody")]
    ZeroKey,
}

/// What a client says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientInfo {
    /// Protocol version.
    pub version: u32,
    /// Whether it answers pings.
    #[serde(rename = "CanAckPings", alias = "can_ack_pings")]
    pub can_ack_pings: bool,
    /// Whether it only measures.
    #[serde(rename = "IsProber", alias = "is_prober")]
    pub is_prober: bool,
    /// What program it is.
    #[serde(rename = "AppName", alias = "app_name", skip_serializing_if = "String::is_empty")]
    pub app_name: String,
}

/// What the relay says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerInfo {
    /// Protocol version.
    pub version: u32,
}

/// The relay's key pair.
#[derive(Debug)]
pub struct ServerKey {
    secret: Secret<[u8; 32]>,
    public: [u8; 32],
}

impl ServerKey {
    /// The pair of this private key.
    pub fn new(secret: Secret<[u8; 32]>) -> Self {
        let public = public_of(&secret);
        Self { secret, public }
    }

    /// What the relay is known by.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// The relay's first frame.
    pub fn greeting(&self) -> Frame {
        Frame::ServerKey(self.public)
    }

    /// Opens the body of a ClientInfo frame; success proves that the client holds `client`.
    pub fn open_client_info(&self, client: &NodeKey, sealed: &[u8]) -> Result<ClientInfo, HelloError> {
        open(&self.secret, client.as_bytes(), sealed)
    }

    /// The relay's second frame.
    pub fn seal_server_info(&self, client: &NodeKey, nonce: Nonce) -> Result<Frame, HelloError> {
        let info = ServerInfo { version: PROTOCOL_VERSION };
        Ok(Frame::ServerInfo { sealed: seal(&self.secret, client.as_bytes(), nonce, &info)? })
    }
}

/// A node's key pair: the client's half of the hello.
#[derive(Debug)]
pub struct ClientKey {
    secret: Secret<[u8; 32]>,
    public: NodeKey,
}

impl ClientKey {
    /// The pair of this private key.
    pub fn new(secret: Secret<[u8; 32]>) -> Result<Self, HelloError> {
        let public = NodeKey::from_bytes(public_of(&secret)).map_err(|_| HelloError::ZeroKey)?;
        Ok(Self { secret, public })
    }

    /// Who the client is.
    pub fn public(&self) -> NodeKey {
        self.public
    }

    /// The client's first frame.
    pub fn seal_client_info(
        &self,
        server: &[u8; 32],
        nonce: Nonce,
        info: &ClientInfo,
    ) -> Result<Frame, HelloError> {
        Ok(Frame::ClientInfo { key: self.public, sealed: seal(&self.secret, server, nonce, info)? })
    }

    /// Opens the body of a ServerInfo frame; success proves that the relay holds `server`.
    pub fn open_server_info(&self, server: &[u8; 32], sealed: &[u8]) -> Result<ServerInfo, HelloError> {
        open(&self.secret, server, sealed)
    }
}

fn public_of(secret: &Secret<[u8; 32]>) -> [u8; 32] {
    *SecretKey::from(*secret.expose()).public_key().as_bytes()
}

fn salsa_box(mine: &Secret<[u8; 32]>, theirs: &[u8; 32]) -> SalsaBox {
    SalsaBox::new(&PublicKey::from(*theirs), &SecretKey::from(*mine.expose()))
}

fn seal<T: Serialize>(
    mine: &Secret<[u8; 32]>,
    theirs: &[u8; 32],
    nonce: Nonce,
    value: &T,
) -> Result<Bytes, HelloError> {
    let json = serde_json::to_vec(value).map_err(|_| HelloError::Json)?;
    let mut sealed = nonce.to_vec();
    let boxed =
        salsa_box(mine, theirs).encrypt(&nonce.into(), json.as_slice()).map_err(|_| HelloError::Box)?;
    sealed.extend_from_slice(&boxed);
    Ok(sealed.into())
}

fn open<T: DeserializeOwned>(
    mine: &Secret<[u8; 32]>,
    theirs: &[u8; 32],
    sealed: &[u8],
) -> Result<T, HelloError> {
    let Some((nonce, boxed)) = sealed.split_first_chunk::<NONCE_BYTES>() else { return Err(HelloError::Box) };
    let json = salsa_box(mine, theirs).decrypt(&(*nonce).into(), boxed).map_err(|_| HelloError::Box)?;
    // Clients put a mesh key in here; it is not kept.
    serde_json::from_slice(&Zeroizing::new(json)).map_err(|_| HelloError::Json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair() -> (ServerKey, ClientKey) {
        (ServerKey::new(Secret::new([0x11; 32])), ClientKey::new(Secret::new([0x22; 32])).unwrap())
    }

    fn sealed_json(json: &serde_json::Value) -> Bytes {
        let (server, client) = pair();
        seal(&client.secret, &server.public, [3; 24], json).unwrap()
    }

    #[test]
    fn both_sides_understand_each_other() {
        let (server, client) = pair();
        let info = ClientInfo { version: 2, can_ack_pings: true, is_prober: false, app_name: "probe".into() };
        let frame = client.seal_client_info(&server.public(), [7; 24], &info).unwrap();
        let Frame::ClientInfo { key, sealed } = frame else { panic!("{frame:?}") };
        assert_eq!(server.open_client_info(&key, &sealed), Ok(info));

        let frame = server.seal_server_info(&key, [9; 24]).unwrap();
        let Frame::ServerInfo { sealed } = frame else { panic!("{frame:?}") };
        assert_eq!(client.open_server_info(&server.public(), &sealed), Ok(ServerInfo { version: 2 }));
    }

    /// nonce (24 x 07), tag (16), then `{"version":2}` encrypted; made by an independent NaCl implementation.
    #[test]
    fn the_server_info_is_these_bytes() {
        let (server, client) = pair();
        let Frame::ServerInfo { sealed } = server.seal_server_info(&client.public(), [7; 24]).unwrap() else {
            panic!()
        };
        assert_eq!(
            hex::encode(&sealed),
            concat!(
                "070707070707070707070707070707070707070707070707",
                "52604447c05c665dd4fbc8f17753fc41",
                "b3d1e9351489b46be7aae0977f"
            )
        );
    }

    #[test]
    fn words_of_both_official_clients_are_understood() {
        let (server, client) = pair();
        let go = serde_json::json!({"meshKey": "ab", "version": 2, "CanAckPings": true, "IsProber": false});
        let rust =
            serde_json::json!({"can_ack_pings": true, "is_prober": false, "mesh_key": "none", "version": 2});
        let expected = ClientInfo { version: 2, can_ack_pings: true, ..ClientInfo::default() };
        for json in [go, rust] {
            assert_eq!(server.open_client_info(&client.public(), &sealed_json(&json)), Ok(expected.clone()));
        }
        assert_eq!(
            server.open_client_info(&client.public(), &sealed_json(&serde_json::json!("x"))),
            Err(HelloError::Json)
        );
    }

    #[test]
    fn another_key_cannot_be_claimed() {
        let (server, client) = pair();
        let other = ClientKey::new(Secret::new([0x33; 32])).unwrap();
        let frame = client.seal_client_info(&server.public(), [7; 24], &ClientInfo::default()).unwrap();
        let Frame::ClientInfo { sealed, .. } = frame else { panic!("{frame:?}") };
        assert_eq!(server.open_client_info(&other.public(), &sealed), Err(HelloError::Box));
    }

    #[test]
    fn nothing_secret_is_printed() {
        assert!(!format!("{:?}", pair()).contains("17, 17"));
    }

    proptest! {
        #[test]
        fn any_box_is_answered(sealed in prop::collection::vec(any::<u8>(), 0..120)) {
            let (server, client) = pair();
            prop_assert_eq!(server.open_client_info(&client.public(), &sealed), Err(HelloError::Box));
        }
        #[test]
        fn one_flipped_bit_breaks_the_box(at in 0usize..80, bit in 0u8..8) {
            let (server, client) = pair();
            let mut sealed = sealed_json(&serde_json::json!({"version": 2, "CanAckPings": true, "IsProber": false})).to_vec();
            let at = at % sealed.len();
            sealed[at] ^= 1 << bit;
            prop_assert_eq!(server.open_client_info(&client.public(), &sealed), Err(HelloError::Box));
        }
    }
}
