//! DERP frames: a type byte, a big-endian u32 length, a body.

use bytes::{BufMut, Bytes};
use ident::NodeKey;

/// Bytes in front of every body.
pub const HEADER_BYTES: usize = 5;
/// The longest packet that is relayed.
pub const MAX_PACKET_BYTES: usize = 64 << 10;
/// The longest body of a ClientInfo frame.
pub const MAX_CLIENT_INFO_BYTES: usize = 256 << 10;

pub(crate) const MAGIC: [u8; 8] = *b"DERP\xf0\x9f\x94\x91";
pub(crate) const KEY_BYTES: usize = 32;
const DISCO_MAGIC: &[u8] = b"TS\xf0\x9f\x92\xac";
const DISCO_MIN_BYTES: usize = 62;

/// One frame of either direction, without the ones that only relays exchange among each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Server's first word: the relay's public key.
    ServerKey([u8; 32]),
    /// Client's first word: who it claims to be, and `nonce ‖ box` that proves it.
    ClientInfo { key: NodeKey, sealed: Bytes },
    /// Server's second word: `nonce ‖ box`.
    ServerInfo { sealed: Bytes },
    /// Client: relay this to `to`.
    SendPacket { to: NodeKey, packet: Bytes },
    /// Server: `from` sent you this.
    RecvPacket { from: NodeKey, packet: Bytes },
    /// Server: still here.
    KeepAlive,
    /// Client: whether this relay is its home.
    NotePreferred(bool),
    /// Server: do not expect `peer` here.
    PeerGone { peer: NodeKey, reason: Gone },
    /// Either side: answer with the same eight bytes.
    Ping([u8; 8]),
    /// The answer to a ping.
    Pong([u8; 8]),
    /// Server: what is wrong with this connection; empty when nothing is.
    Health(Bytes),
    /// Server: it goes away; milliseconds until reconnecting makes sense, and for how long to try.
    Restarting { reconnect_in_ms: u32, try_for_ms: u32 },
}

/// Bytes that [`put_recv_packet`] appends for a packet of this length.
pub const fn recv_packet_bytes(packet_bytes: usize) -> usize {
    HEADER_BYTES + KEY_BYTES + packet_bytes
}

/// Appends the RecvPacket frame that brings `packet` of `from` to its addressee; at most [`MAX_PACKET_BYTES`] of it
/// make sense.
pub fn put_recv_packet(out: &mut impl BufMut, from: &NodeKey, packet: &[u8]) {
    put_header(out, kind::RECV_PACKET, KEY_BYTES + packet.len());
    put_keyed(out, from, packet);
}

/// Why a peer is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It was connected and left.
    Disconnected,
    /// It is not connected here.
    NotHere,
    /// A reason this version has no word for.
    Other(u8),
}

impl Gone {
    pub(crate) fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Gone::Disconnected,
            1 => Gone::NotHere,
            other => Gone::Other(other),
        }
    }
    fn byte(self) -> u8 {
        match self {
            Gone::Disconnected => 0,
            Gone::NotHere => 1,
            Gone::Other(other) => other,
        }
    }
}

impl Frame {
    /// Appends the frame to `out`.
    pub fn encode(&self, out: &mut impl BufMut) {
        put_header(out, self.kind(), self.body_bytes());
        match self {
            Frame::ServerKey(key) => {
                out.put_slice(&MAGIC);
                out.put_slice(key);
            }
            Frame::ClientInfo { key, sealed } => put_keyed(out, key, sealed),
            Frame::ServerInfo { sealed } => out.put_slice(sealed),
            Frame::SendPacket { to: key, packet } | Frame::RecvPacket { from: key, packet } => {
                put_keyed(out, key, packet);
            }
            Frame::KeepAlive => {}
            Frame::NotePreferred(home) => out.put_u8(u8::from(*home)),
            Frame::PeerGone { peer, reason } => put_keyed(out, peer, &[reason.byte()]),
            Frame::Ping(data) | Frame::Pong(data) => out.put_slice(data),
            Frame::Health(text) => out.put_slice(text),
            Frame::Restarting { reconnect_in_ms, try_for_ms } => {
                out.put_u32(*reconnect_in_ms);
                out.put_u32(*try_for_ms);
            }
        }
    }

    /// The frame alone, in a buffer of exactly its size.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(HEADER_BYTES + self.body_bytes());
        self.encode(&mut out);
        out.into()
    }

    fn kind(&self) -> u8 {
        match self {
            Frame::ServerKey(_) => kind::SERVER_KEY,
            Frame::ClientInfo { .. } => kind::CLIENT_INFO,
            Frame::ServerInfo { .. } => kind::SERVER_INFO,
            Frame::SendPacket { .. } => kind::SEND_PACKET,
            Frame::RecvPacket { .. } => kind::RECV_PACKET,
            Frame::KeepAlive => kind::KEEP_ALIVE,
            Frame::NotePreferred(_) => kind::NOTE_PREFERRED,
            Frame::PeerGone { .. } => kind::PEER_GONE,
            Frame::Ping(_) => kind::PING,
            Frame::Pong(_) => kind::PONG,
            Frame::Health(_) => kind::HEALTH,
            Frame::Restarting { .. } => kind::RESTARTING,
        }
    }

    fn body_bytes(&self) -> usize {
        match self {
            Frame::ServerKey(_) => MAGIC.len() + KEY_BYTES,
            Frame::ClientInfo { sealed, .. } => KEY_BYTES + sealed.len(),
            Frame::ServerInfo { sealed } => sealed.len(),
            Frame::SendPacket { packet, .. } | Frame::RecvPacket { packet, .. } => KEY_BYTES + packet.len(),
            Frame::KeepAlive => 0,
            Frame::NotePreferred(_) => 1,
            Frame::PeerGone { .. } => KEY_BYTES + 1,
            Frame::Ping(_) | Frame::Pong(_) | Frame::Restarting { .. } => 8,
            Frame::Health(text) => text.len(),
        }
    }
}

/// Whether a packet is path discovery, which may open a conversation with an unknown peer.
pub fn is_disco(packet: &[u8]) -> bool {
    packet.len() >= DISCO_MIN_BYTES && packet.starts_with(DISCO_MAGIC)
}

pub(crate) mod kind {
    pub(crate) const SERVER_KEY: u8 = 0x01;
    pub(crate) const CLIENT_INFO: u8 = 0x02;
    pub(crate) const SERVER_INFO: u8 = 0x03;
    pub(crate) const SEND_PACKET: u8 = 0x04;
    pub(crate) const RECV_PACKET: u8 = 0x05;
    pub(crate) const KEEP_ALIVE: u8 = 0x06;
    pub(crate) const NOTE_PREFERRED: u8 = 0x07;
    pub(crate) const PEER_GONE: u8 = 0x08;
    pub(crate) const PEER_PRESENT: u8 = 0x09;
    pub(crate) const FORWARD_PACKET: u8 = 0x0a;
    pub(crate) const WATCH_CONNS: u8 = 0x10;
    pub(crate) const CLOSE_PEER: u8 = 0x11;
    pub(crate) const PING: u8 = 0x12;
    pub(crate) const PONG: u8 = 0x13;
    pub(crate) const HEALTH: u8 = 0x14;
    pub(crate) const RESTARTING: u8 = 0x15;
}

fn put_header(out: &mut impl BufMut, kind: u8, body_bytes: usize) {
    out.put_u8(kind);
    // Bodies are bounded by the decoder or made here; one beyond u32 cannot be built from either.
    out.put_u32(u32::try_from(body_bytes).unwrap_or(u32::MAX));
}

fn put_keyed(out: &mut impl BufMut, key: &NodeKey, rest: &[u8]) {
    out.put_slice(key.as_bytes());
    out.put_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Decoder;

    fn key(byte: u8) -> NodeKey {
        NodeKey::from_bytes([byte; 32]).unwrap()
    }

    /// Each frame as it travels: type, length, body.
    fn goldens() -> Vec<(Frame, String)> {
        let aa = "aa".repeat(32);
        let packet = Bytes::from_static(b"hi");
        vec![
            // 40 bytes: "DERP", the key emoji, the public key
            (Frame::ServerKey([0xaa; 32]), format!("01 00000028 44455250 f09f9491 {aa}")),
            // key, then nonce and box (here two bytes stand for both)
            (Frame::ClientInfo { key: key(0xaa), sealed: packet.clone() }, format!("02 00000022 {aa} 6869")),
            // nonce and box
            (Frame::ServerInfo { sealed: packet.clone() }, "03 00000002 6869".into()),
            // destination, packet
            (Frame::SendPacket { to: key(0xaa), packet: packet.clone() }, format!("04 00000022 {aa} 6869")),
            // source, packet
            (Frame::RecvPacket { from: key(0xaa), packet }, format!("05 00000022 {aa} 6869")),
            // nothing
            (Frame::KeepAlive, "06 00000000".into()),
            // 1 = home
            (Frame::NotePreferred(true), "07 00000001 01".into()),
            // key, 0 = it left
            (Frame::PeerGone { peer: key(0xaa), reason: Gone::Disconnected }, format!("08 00000021 {aa} 00")),
            // key, 1 = not connected here
            (Frame::PeerGone { peer: key(0xaa), reason: Gone::NotHere }, format!("08 00000021 {aa} 01")),
            // eight bytes to echo
            (Frame::Ping(*b"12345678"), "12 00000008 3132333435363738".into()),
            (Frame::Pong(*b"12345678"), "13 00000008 3132333435363738".into()),
            // UTF-8 text
            (Frame::Health(Bytes::from_static(b"ill")), "14 00000003 696c6c".into()),
            // milliseconds: reconnect in 1,000, try for 60,000
            (
                Frame::Restarting { reconnect_in_ms: 1000, try_for_ms: 60_000 },
                "15 00000008 000003e8 0000ea60".into(),
            ),
        ]
    }

    #[test]
    fn goldens_encode_and_decode() {
        for (frame, text) in goldens() {
            let bytes = hex::decode(text.replace(' ', "")).unwrap();
            assert_eq!(frame.to_bytes(), bytes, "{frame:?}");
            let mut decoder = Decoder::new();
            decoder.push(&bytes);
            assert_eq!(decoder.next_frame().unwrap(), Some(frame));
            assert_eq!(decoder.next_frame().unwrap(), None);
        }
    }

    #[test]
    fn disco_needs_magic_and_length() {
        let mut packet = b"TS\xf0\x9f\x92\xac".to_vec();
        packet.resize(61, 0);
        assert!(!is_disco(&packet));
        packet.push(0);
        assert!(is_disco(&packet));
        packet[0] = b'X';
        assert!(!is_disco(&packet));
    }
}
