//! One handshake and its first records, byte for byte. The expected bytes were computed from the protocol's formulas
//! with another implementation of every primitive.

use bytes::BytesMut;
use noise::{Accepted, HandshakeError, Initiator, PrivateKey, Responder, initiation_version};

/// All four private keys are one byte repeated.
const SERVER: [u8; 32] = [0x11; 32];
const CLIENT: [u8; 32] = [0x22; 32];
const CLIENT_EPHEMERAL: [u8; 32] = [0x33; 32];
const SERVER_EPHEMERAL: [u8; 32] = [0x44; 32];

const INITIATION: &str = concat!(
    "008b",                                                             // version 139
    "01",                                                               // initiation
    "0060",                                                             // 96 bytes follow
    "7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14", // client's ephemeral key
    "b903b541e3810f9a9f788541f1d8f2ec482568e39b9f0f56a9f4a7a56450f31a", // client's static key, sealed
    "d1710e3c626d2f0dc2f443b15f665478",                                 // its tag
    "765bdf5abe683a044f645b885d0c8183",                                 // tag of the empty payload
);
const RESPONSE: &str = concat!(
    "02",                                                               // response
    "0030",                                                             // 48 bytes follow
    "ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf2419731c1fff3e6b", // server's ephemeral key
    "4562ef31f081fede9d80ec4cb595d9c7",                                 // tag of the empty payload
);
const CLIENT_PUBLIC: &str = "mkey:0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20";
const SERVER_PUBLIC: &str = "mkey:7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13";

#[cfg(test)]
mod sides {
    use super::*;

    pub fn server() -> PrivateKey {
        PrivateKey::new(SERVER).unwrap()
    }
    pub fn accept(initiation: &[u8]) -> Result<Accepted, HandshakeError> {
        Responder::accept(&server(), SERVER_EPHEMERAL, initiation)
    }
    pub fn initiate(version: u16) -> ([u8; 101], Initiator) {
        let client = PrivateKey::new(CLIENT).unwrap();
        Initiator::new(&client, server().public_key(), CLIENT_EPHEMERAL, version).unwrap()
    }
}
use sides::{accept, initiate, server};

#[test]
fn the_handshake_byte_for_byte() {
    assert_eq!(server().public_key().to_string(), SERVER_PUBLIC);
    let (initiation, initiator) = initiate(139);
    assert_eq!(hex::encode(initiation), INITIATION);

    let accepted = accept(&initiation).unwrap();
    assert_eq!(hex::encode(accepted.response), RESPONSE);
    assert_eq!((accepted.version, accepted.machine.to_string().as_str()), (139, CLIENT_PUBLIC));

    let (mut up, mut records) = (initiator.finish(&accepted.response).unwrap().sealer, BytesMut::new());
    up.seal(b"ping", &mut records).unwrap();
    up.seal(b"ping", &mut records).unwrap();
    let expected = concat!(
        "040014",                                   // record of 20 bytes
        "0ca5fb29806dc6281dd3f598202f728ed1cd7cf1", // "ping" and its tag, counter 0
        "040014",
        "3b8fffa8931608ff9e632ad4c49b7b45cebc07a5", // the same under counter 1, big-endian
    );
    assert_eq!(hex::encode(&records), expected);

    let (mut down, mut records) = (accepted.transport.sealer, BytesMut::new());
    down.seal(b"pong", &mut records).unwrap();
    assert_eq!(hex::encode(&records), "040014872bfecea53a7931aa51be3191bcbfcf6f52ff7f");
}

#[test]
fn every_version_is_bound_into_the_handshake() {
    for version in [0, 1, 113, u16::MAX] {
        let (initiation, initiator) = initiate(version);
        assert_eq!(initiation_version(&initiation), Ok(version));
        let accepted = accept(&initiation).unwrap();
        assert_eq!(accepted.version, version);
        assert!(initiator.finish(&accepted.response).is_ok());
    }
}

#[test]
fn any_flipped_bit_of_the_handshake_is_refused() {
    let (initiation, _) = initiate(139);
    let response = accept(&initiation).unwrap().response;
    for bit in 0..initiation.len() * 8 {
        let mut flipped = initiation;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(accept(&flipped).is_err(), "bit {bit} of the initiation");
    }
    for bit in 0..response.len() * 8 {
        let mut flipped = response;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(initiate(139).1.finish(&flipped).is_err(), "bit {bit} of the response");
    }
}

#[test]
fn any_other_length_is_refused() {
    let (mut long, _) = initiate(139);
    for len in 0..long.len() {
        assert_eq!(accept(&long[..len]).unwrap_err(), HandshakeError::Shape);
    }
    assert_eq!(accept(&[&long[..], &[0]].concat()).unwrap_err(), HandshakeError::Shape);
    long[2] = 4;
    assert_eq!(accept(&long).unwrap_err(), HandshakeError::Shape);
    for len in 0..51 {
        assert!(initiate(139).1.finish(&hex::decode(RESPONSE).unwrap()[..len]).is_err());
    }
}

#[test]
fn points_of_low_order_are_refused() {
    // RFC 7748 §6.1 wants a check for a zero secret; these four public keys give one with every private key.
    let eight = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800";
    let other = "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157";
    for point in [&hex::encode([0; 32]), &format!("01{}", "0".repeat(62)), eight, other] {
        let mut initiation = initiate(139).0;
        initiation[5..37].copy_from_slice(&hex::decode(point).unwrap());
        assert_eq!(accept(&initiation).unwrap_err(), HandshakeError::Refused, "{point}");
        let mut response = hex::decode(RESPONSE).unwrap();
        response[3..35].copy_from_slice(&hex::decode(point).unwrap());
        assert_eq!(initiate(139).1.finish(&response).unwrap_err(), HandshakeError::Refused, "{point}");
    }
}

#[test]
fn another_servers_initiation_is_refused() {
    let other = PrivateKey::new([0x55; 32]).unwrap();
    assert_eq!(
        Responder::accept(&other, SERVER_EPHEMERAL, &initiate(139).0).unwrap_err(),
        HandshakeError::Refused
    );
}

#[test]
fn an_error_frame_ends_the_handshake_with_its_text() {
    let told = initiate(139).1.finish(&noise::error_frame("too old")).unwrap_err();
    assert_eq!(told, HandshakeError::Server("too old".into()));
}

#[test]
fn private_keys_are_not_printed() {
    assert!(!format!("{:?}", server()).contains("1111"));
}
