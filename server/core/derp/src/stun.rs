//! STUN: what address a packet came from. Only binding requests of official clients are answered, so the
//! answer (32 or 44 bytes) is never more than 1.1 times the request (40 bytes or more).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::BufMut;

/// What a client chose to recognise its answer by.
pub type TransactionId = [u8; 12];

/// No request or answer of this protocol is longer.
pub const MAX_MESSAGE_BYTES: usize = 512;

const HEADER_BYTES: usize = 20;
const MAX_REPLY_BYTES: usize = 44;
const COOKIE: u32 = 0x2112_a442;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const SOFTWARE: u16 = 0x8022;
const FINGERPRINT: u16 = 0x8028;
const FINGERPRINT_BYTES: usize = 8;
const FINGERPRINT_XOR: u32 = 0x5354_554e;
const CLIENT_SOFTWARE: &[u8] = b"tailnode";
const FAMILY_V4: u8 = 1;
const FAMILY_V6: u8 = 2;

/// The transaction of a well-formed request: right cookie and length, SOFTWARE of an official client, and a
/// right FINGERPRINT at the end. Anything else is `None` and must stay unanswered.
pub fn parse_request(message: &[u8]) -> Option<TransactionId> {
    let (transaction, attributes) = split(message, BINDING_REQUEST)?;
    let fingerprinted = message.len().checked_sub(FINGERPRINT_BYTES)?;
    let mut software = false;
    let mut last = None;
    for attribute in Attributes(attributes) {
        let (kind, value) = attribute?;
        software |= kind == SOFTWARE && value == CLIENT_SOFTWARE;
        last = Some((kind, value));
    }
    let (FINGERPRINT, sum) = last? else { return None };
    let sum = u32::from_be_bytes(sum.try_into().ok()?);
    (software && sum == fingerprint(message.get(..fingerprinted)?)).then_some(transaction)
}

/// An answer: 32 bytes for IPv4, 44 for IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    bytes: [u8; MAX_REPLY_BYTES],
    length: usize,
}

impl AsRef<[u8]> for Reply {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// The answer to a request that came from `source`; an IPv4 address in IPv6 clothes is answered as IPv4.
pub fn encode_reply(transaction: &TransactionId, source: SocketAddr) -> Reply {
    let mut bytes = [0; MAX_REPLY_BYTES];
    let mut out = bytes.as_mut_slice();
    let port = source.port() ^ (COOKIE >> 16) as u16;
    match source.ip().to_canonical() {
        IpAddr::V4(ip) => put_mapped(&mut out, transaction, (FAMILY_V4, port), ip.octets()),
        IpAddr::V6(ip) => put_mapped(&mut out, transaction, (FAMILY_V6, port), ip.octets()),
    }
    let length = MAX_REPLY_BYTES - out.len();
    Reply { bytes, length }
}

/// The request an official client sends.
pub fn encode_request(transaction: &TransactionId) -> Vec<u8> {
    let mut out = Vec::with_capacity(40);
    put_header(&mut out, BINDING_REQUEST, 20, transaction);
    put_u16s(&mut out, &[SOFTWARE, 8]);
    out.extend_from_slice(CLIENT_SOFTWARE);
    let sum = fingerprint(&out);
    put_u16s(&mut out, &[FINGERPRINT, 4]);
    out.extend_from_slice(&sum.to_be_bytes());
    out
}

/// The transaction and address of an answer.
pub fn parse_reply(message: &[u8]) -> Option<(TransactionId, SocketAddr)> {
    let (transaction, attributes) = split(message, BINDING_SUCCESS)?;
    for attribute in Attributes(attributes) {
        let (XOR_MAPPED_ADDRESS, value) = attribute? else { continue };
        let (&[_, family, port @ ..], address) = value.split_first_chunk::<4>()?;
        let mut address = address.to_vec();
        mask(&mut address, &transaction);
        let ip = match family {
            FAMILY_V4 => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?)),
            FAMILY_V6 => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?)),
            _ => return None,
        };
        return Some((transaction, SocketAddr::new(ip, u16::from_be_bytes(port) ^ (COOKIE >> 16) as u16)));
    }
    None
}

fn split(message: &[u8], kind: u16) -> Option<(TransactionId, &[u8])> {
    let (header, attributes) = message.split_first_chunk::<HEADER_BYTES>()?;
    let &[k0, k1, l0, l1, c0, c1, c2, c3, transaction @ ..] = header;
    let fits = message.len() <= MAX_MESSAGE_BYTES
        && u16::from_be_bytes([k0, k1]) == kind
        && usize::from(u16::from_be_bytes([l0, l1])) == attributes.len()
        && u32::from_be_bytes([c0, c1, c2, c3]) == COOKIE;
    fits.then_some((transaction, attributes))
}

/// Type and value of each attribute; `None` for one that does not fit.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = Option<(u16, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.0);
        let Some((&[k0, k1, l0, l1], rest)) = rest.split_first_chunk::<4>() else { return Some(None) };
        let bytes = usize::from(u16::from_be_bytes([l0, l1]));
        let (Some(value), Some(tail)) = (rest.get(..bytes), rest.get(bytes.next_multiple_of(4)..)) else {
            return Some(None);
        };
        self.0 = tail;
        Some(Some((u16::from_be_bytes([k0, k1]), value)))
    }
}

fn put_mapped<const N: usize>(
    out: &mut impl BufMut,
    transaction: &TransactionId,
    (family, port): (u8, u16),
    mut address: [u8; N],
) {
    mask(&mut address, transaction);
    let value_bytes = 4 + N as u16;
    put_header(out, BINDING_SUCCESS, 4 + value_bytes, transaction);
    put_u16s(out, &[XOR_MAPPED_ADDRESS, value_bytes]);
    out.put_slice(&[0, family]);
    put_u16s(out, &[port]);
    out.put_slice(&address);
}

fn put_header(out: &mut impl BufMut, kind: u16, attribute_bytes: u16, transaction: &TransactionId) {
    put_u16s(out, &[kind, attribute_bytes]);
    out.put_u32(COOKIE);
    out.put_slice(transaction);
}

fn put_u16s(out: &mut impl BufMut, values: &[u16]) {
    for value in values {
        out.put_u16(*value);
    }
}

fn mask(address: &mut [u8], transaction: &TransactionId) {
    for (byte, mask) in address.iter_mut().zip(COOKIE.to_be_bytes().iter().chain(transaction)) {
        *byte ^= mask;
    }
}

fn fingerprint(bytes: &[u8]) -> u32 {
    crc32(bytes) ^ FINGERPRINT_XOR
}

/// CRC-32 of ISO 3309, as zlib and PNG use it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| CRC_TABLE[(sum as u8 ^ byte) as usize] ^ (sum >> 8))
}

static CRC_TABLE: [u32; 256] = {
    let mut table = [0u32; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRANSACTION: TransactionId = *b"0123456789ab";
    /// binding request, 20 bytes of attributes, cookie, transaction; SOFTWARE "tailnode"; FINGERPRINT
    const REQUEST: &str = concat!(
        "0001 0014 2112a442 303132333435363738396162",
        "8022 0008 7461696c6e6f6465",
        "8028 0004 0712306a"
    );

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    #[test]
    fn crc_check_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_request_is_these_bytes() {
        assert_eq!(encode_request(&TRANSACTION), bytes(REQUEST));
        assert_eq!(parse_request(&bytes(REQUEST)), Some(TRANSACTION));
    }

    /// success, length, cookie, transaction; XOR-MAPPED-ADDRESS: 0, family, port and address under the mask
    #[test]
    fn replies_are_these_bytes() {
        let v4 = "192.0.2.1:32853".parse().unwrap();
        let golden =
            bytes(concat!("0101 000c 2112a442 303132333435363738396162", "0020 0008 00 01 a147 e112a643"));
        assert_eq!(encode_reply(&TRANSACTION, v4).as_ref(), golden);
        assert_eq!(encode_reply(&TRANSACTION, "[::ffff:192.0.2.1]:32853".parse().unwrap()).as_ref(), golden);
        assert_eq!(parse_reply(&golden), Some((TRANSACTION, v4)));

        let v6 = "[2001:db8::1]:32853".parse().unwrap();
        let golden = bytes(concat!(
            "0101 0018 2112a442 303132333435363738396162",
            "0020 0014 00 02 a147 0113a9fa303132333435363738396163"
        ));
        assert_eq!(encode_reply(&TRANSACTION, v6).as_ref(), golden);
        assert_eq!(parse_reply(&golden), Some((TRANSACTION, v6)));
    }

    #[test]
    fn generic_requests_stay_unanswered() {
        // no attributes; SOFTWARE of somebody else with a right fingerprint; no fingerprint; fingerprint not last
        let with = |attributes: &[u8], fingerprinted: bool| {
            let mut message = Vec::new();
            let length = attributes.len() as u16 + if fingerprinted { 8 } else { 0 };
            put_header(&mut message, BINDING_REQUEST, length, &TRANSACTION);
            message.extend_from_slice(attributes);
            if fingerprinted {
                let sum = fingerprint(&message);
                put_u16s(&mut message, &[FINGERPRINT, 4]);
                message.extend_from_slice(&sum.to_be_bytes());
            }
            message
        };
        let software = bytes("8022 0008 7461696c6e6f6465");
        assert_eq!(parse_request(&with(&software, true)), Some(TRANSACTION));
        assert_eq!(parse_request(&with(&[], false)), None);
        assert_eq!(parse_request(&with(&[], true)), None);
        assert_eq!(parse_request(&with(&bytes("8022 0008 7461696c6e6f6466"), true)), None);
        assert_eq!(parse_request(&with(&software, false)), None);
        let mut moved = with(&[], true)[HEADER_BYTES..].to_vec();
        moved.extend_from_slice(&software);
        assert_eq!(parse_request(&with(&moved, false)), None);
    }

    proptest! {
        #[test]
        fn any_change_to_a_request_is_noticed(at in 0usize..40, bit in 0u8..8) {
            let mut message = encode_request(&TRANSACTION);
            message[at] ^= 1 << bit;
            prop_assert_eq!(parse_request(&message), None);
        }

        #[test]
        fn any_bytes_are_answered(message in prop::collection::vec(any::<u8>(), 0..120)) {
            prop_assert_eq!(parse_request(&message), None);
            let _ = parse_reply(&message);
        }

        #[test]
        fn answers_round_trip_and_never_amplify(
            transaction in any::<TransactionId>(), ip in any::<IpAddr>(), port in any::<u16>(),
        ) {
            let source = SocketAddr::new(ip.to_canonical(), port);
            let reply = encode_reply(&transaction, source);
            prop_assert!(reply.as_ref().len() * 10 <= encode_request(&transaction).len() * 11);
            prop_assert_eq!(parse_reply(reply.as_ref()), Some((transaction, source)));
        }
    }
}
