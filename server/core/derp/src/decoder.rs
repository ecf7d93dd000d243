//! Bytes in any slices -> frames.

use bytes::{Buf, Bytes, BytesMut};
use ident::NodeKey;

use crate::frame::{
    Frame, Gone, HEADER_BYTES, KEY_BYTES, MAGIC, MAX_CLIENT_INFO_BYTES, MAX_PACKET_BYTES, kind,
};

/// The longest body of a type nobody here knows; it is skipped, never held.
const MAX_UNKNOWN_BYTES: usize = 1 << 20;
/// Fixed bodies may grow a tail in later versions; the tail is ignored.
const MAX_FIXED_BYTES: usize = 1 << 10;

/// Why the stream cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The announced length is over the limit of its type.
    #[error("frame type {kind:#04x} announces {bytes} bytes, at most {limit} are allowed")]
    TooLong { kind: u8, bytes: usize, limit: usize },
    /// The body is shorter than its type needs.
    #[error("frame type {0:#04x} is too short")]
    TooShort(u8),
    /// A ServerKey without the protocol's magic.
    #[error("this is not a DERP server")]
    Magic,
    /// The all-zero key names nobody.
    #[error("frame type {0:#04x} names the zero key")]
    ZeroKey(u8),
    /// A frame that only relays of one mesh exchange.
    #[error("frame type {0:#04x} belongs to a mesh of relays; there is none")]
    Mesh(u8),
}

/// Holds what has arrived of a stream. A frame over its limit is refused when its header is there,
/// so at most one frame and one read are ever held.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    skip: usize,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Where a reader may append the next bytes itself.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next whole frame; `None` until more bytes come. After an error the stream is lost.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            let skipped = self.skip.min(self.buffer.len());
            self.buffer.advance(skipped);
            self.skip -= skipped;
            let Some((header, rest)) = self.buffer.split_first_chunk::<HEADER_BYTES>() else {
                return Ok(None);
            };
            let [kind, length @ ..] = *header;
            let length = u32::from_be_bytes(length) as usize;
            let limit = limit(kind)?;
            let allowed = limit.unwrap_or(MAX_UNKNOWN_BYTES);
            if length > allowed {
                return Err(FrameError::TooLong { kind, bytes: length, limit: allowed });
            }
            if limit.is_none() {
                self.skip = HEADER_BYTES + length;
                continue;
            }
            if rest.len() < length {
                return Ok(None);
            }
            self.buffer.advance(HEADER_BYTES);
            return decode(kind, self.buffer.split_to(length).freeze()).map(Some);
        }
    }
}

/// The limit of a known type, `None` for an unknown one.
fn limit(kind: u8) -> Result<Option<usize>, FrameError> {
    match kind {
        kind::CLIENT_INFO | kind::SERVER_INFO => Ok(Some(MAX_CLIENT_INFO_BYTES)),
        kind::SEND_PACKET | kind::RECV_PACKET => Ok(Some(KEY_BYTES + MAX_PACKET_BYTES)),
        kind::HEALTH => Ok(Some(MAX_PACKET_BYTES)),
        kind::SERVER_KEY
        | kind::KEEP_ALIVE
        | kind::NOTE_PREFERRED
        | kind::PEER_GONE
        | kind::PING
        | kind::PONG
        | kind::RESTARTING => Ok(Some(MAX_FIXED_BYTES)),
        kind::PEER_PRESENT | kind::FORWARD_PACKET | kind::WATCH_CONNS | kind::CLOSE_PEER => {
            Err(FrameError::Mesh(kind))
        }
        _ => Ok(None),
    }
}

fn decode(kind: u8, mut body: Bytes) -> Result<Frame, FrameError> {
    Ok(match kind {
        kind::SERVER_KEY => {
            if take::<8>(kind, &mut body)? != MAGIC {
                return Err(FrameError::Magic);
            }
            Frame::ServerKey(take(kind, &mut body)?)
        }
        kind::CLIENT_INFO => Frame::ClientInfo { key: take_key(kind, &mut body)?, sealed: body },
        kind::SERVER_INFO => Frame::ServerInfo { sealed: body },
        kind::SEND_PACKET => Frame::SendPacket { to: take_key(kind, &mut body)?, packet: body },
        kind::RECV_PACKET => Frame::RecvPacket { from: take_key(kind, &mut body)?, packet: body },
        kind::KEEP_ALIVE => Frame::KeepAlive,
        kind::NOTE_PREFERRED => Frame::NotePreferred(take::<1>(kind, &mut body)? != [0]),
        kind::PEER_GONE => {
            let peer = take_key(kind, &mut body)?;
            // Early servers sent no reason; then it left.
            let reason = body.first().map_or(Gone::Disconnected, |byte| Gone::from_byte(*byte));
            Frame::PeerGone { peer, reason }
        }
        kind::PING => Frame::Ping(take(kind, &mut body)?),
        kind::PONG => Frame::Pong(take(kind, &mut body)?),
        kind::HEALTH => Frame::Health(body),
        kind::RESTARTING => Frame::Restarting {
            reconnect_in_ms: u32::from_be_bytes(take(kind, &mut body)?),
            try_for_ms: u32::from_be_bytes(take(kind, &mut body)?),
        },
        other => return Err(FrameError::Mesh(other)),
    })
}

fn take<const N: usize>(kind: u8, body: &mut Bytes) -> Result<[u8; N], FrameError> {
    let Some(head) = body.first_chunk::<N>().copied() else { return Err(FrameError::TooShort(kind)) };
    body.advance(N);
    Ok(head)
}

fn take_key(kind: u8, body: &mut Bytes) -> Result<NodeKey, FrameError> {
    NodeKey::from_bytes(take(kind, body)?).map_err(|_| FrameError::ZeroKey(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(hex_text: &str) -> Result<Option<Frame>, FrameError> {
        let mut decoder = Decoder::new();
        decoder.push(&hex::decode(hex_text.replace(' ', "")).unwrap());
        decoder.next_frame()
    }

    #[test]
    fn too_long_is_refused_at_the_header() {
        for (kind, limit) in [(2u8, 262_144u32), (4, 65_568), (5, 65_568), (0x12, 1024), (0x77, 1_048_576)] {
            let header = |n: u32| format!("{kind:02x} {n:08x}");
            assert_eq!(one(&header(limit)), Ok(None));
            for bytes in [limit + 1, u32::MAX] {
                let limit = limit as usize;
                assert_eq!(
                    one(&header(bytes)),
                    Err(FrameError::TooLong { kind, bytes: bytes as usize, limit })
                );
            }
        }
    }

    #[test]
    fn too_short_and_zero_keys_are_refused() {
        assert_eq!(one("04 00000002 aaaa"), Err(FrameError::TooShort(4)));
        assert_eq!(one("12 00000007 00000000000000"), Err(FrameError::TooShort(0x12)));
        assert_eq!(one("07 00000000"), Err(FrameError::TooShort(7)));
        assert_eq!(one(&format!("04 00000020 {}", "00".repeat(32))), Err(FrameError::ZeroKey(4)));
        assert_eq!(one(&format!("01 00000028 {}", "11".repeat(40))), Err(FrameError::Magic));
    }

    #[test]
    fn mesh_frames_are_refused_before_their_body() {
        for kind in [0x09u8, 0x0a, 0x10, 0x11] {
            assert_eq!(one(&format!("{kind:02x} ffffffff")), Err(FrameError::Mesh(kind)));
        }
    }

    #[test]
    fn unknown_types_are_skipped_without_being_held() {
        let mut decoder = Decoder::new();
        decoder.push(&[0x77, 0, 0x10, 0, 0]);
        for _ in 0..1024 {
            decoder.push(&[0xff; 1024]);
            assert_eq!(decoder.next_frame(), Ok(None));
            assert!(decoder.buffer.is_empty());
        }
        decoder.push(&[0x06, 0, 0, 0, 0]);
        assert_eq!(decoder.next_frame(), Ok(Some(Frame::KeepAlive)));
    }

    fn key() -> impl Strategy<Value = NodeKey> {
        any::<[u8; 32]>().prop_filter_map("zero", |b| NodeKey::from_bytes(b).ok())
    }

    fn body() -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from)
    }

    fn frame() -> impl Strategy<Value = Frame> {
        prop_oneof![
            any::<[u8; 32]>().prop_map(Frame::ServerKey),
            (key(), body()).prop_map(|(key, sealed)| Frame::ClientInfo { key, sealed }),
            body().prop_map(|sealed| Frame::ServerInfo { sealed }),
            (key(), body()).prop_map(|(to, packet)| Frame::SendPacket { to, packet }),
            (key(), body()).prop_map(|(from, packet)| Frame::RecvPacket { from, packet }),
            Just(Frame::KeepAlive),
            any::<bool>().prop_map(Frame::NotePreferred),
            (key(), any::<u8>())
                .prop_map(|(peer, byte)| Frame::PeerGone { peer, reason: Gone::from_byte(byte) }),
            any::<[u8; 8]>().prop_map(Frame::Ping),
            any::<[u8; 8]>().prop_map(Frame::Pong),
            body().prop_map(Frame::Health),
            any::<(u32, u32)>()
                .prop_map(|(reconnect_in_ms, try_for_ms)| Frame::Restarting { reconnect_in_ms, try_for_ms }),
        ]
    }

    /// Feeds `bytes` in slices of the given sizes, then the rest; answers every frame and how it ended.
    fn decode_split(bytes: &[u8], sizes: &[usize]) -> (Vec<Frame>, Option<FrameError>) {
        let (mut decoder, mut frames, mut rest) = (Decoder::new(), Vec::new(), bytes);
        for size in sizes.iter().copied().chain([bytes.len()]) {
            let (slice, tail) = rest.split_at(size.min(rest.len()));
            rest = tail;
            decoder.push(slice);
            loop {
                match decoder.next_frame() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(e) => return (frames, Some(e)),
                }
            }
        }
        (frames, None)
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_frames(
            frames in prop::collection::vec(frame(), 0..12),
            sizes in prop::collection::vec(0usize..90, 0..60),
        ) {
            let mut bytes = Vec::new();
            for frame in &frames {
                frame.encode(&mut bytes);
                bytes.extend_from_slice(&[0x66, 0, 0, 0, 3, 1, 2, 3]);
            }
            prop_assert_eq!(decode_split(&bytes, &sizes), (frames, None));
        }

        #[test]
        fn any_bytes_are_answered_the_same_in_any_split(
            bytes in prop::collection::vec(prop_oneof![Just(0u8), 0u8..0x16, any::<u8>()], 0..400),
            sizes in prop::collection::vec(0usize..40, 0..40),
        ) {
            prop_assert_eq!(decode_split(&bytes, &sizes), decode_split(&bytes, &[]));
        }
    }
}
