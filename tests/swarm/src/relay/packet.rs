//! What the clients send each other: a packet says of itself whose it is.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// As large as WireGuard's packets under a usual link.
const BYTES: usize = 1300;

/// One packet of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    pub from: usize,
    pub to: usize,
    /// Counted by the sender.
    pub number: u64,
    /// Since a moment that both sides know.
    pub sent: Duration,
}

impl Packet {
    pub fn encode(self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(BYTES);
        bytes.put_u64(self.from as u64);
        bytes.put_u64(self.to as u64);
        bytes.put_u64(self.number);
        bytes.put_u64(u64::try_from(self.sent.as_nanos()).unwrap_or(u64::MAX));
        bytes.resize(BYTES, 0x5a);
        bytes.freeze()
    }

    /// Reads it back; `None` for bytes that nobody sent like this.
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() != BYTES || bytes[32..].iter().any(|b| *b != 0x5a) {
            return None;
        }
        let (from, to) = (bytes.get_u64().try_into().ok()?, bytes.get_u64().try_into().ok()?);
        Some(Self { from, to, number: bytes.get_u64(), sent: Duration::from_nanos(bytes.get_u64()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_comes_back_and_a_spoiled_one_does_not() {
        let packet = Packet { from: 7, to: 6, number: 1 << 40, sent: Duration::from_micros(5) };
        let bytes = packet.encode();
        assert_eq!(Packet::decode(&bytes), Some(packet));
        assert_eq!(Packet::decode(&bytes[1..]), None);
        let mut spoiled = bytes.to_vec();
        spoiled[1299] ^= 1;
        assert_eq!(Packet::decode(&spoiled), None);
    }
}
