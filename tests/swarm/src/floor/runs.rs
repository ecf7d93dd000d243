//! What came from one client, as stretches that go to one and the same client each.

use std::{collections::HashMap, ops::Range};

use anyhow::{Result, ensure};
use derp::{HEADER_BYTES, MAX_PACKET_BYTES};

const SEND_PACKET: u8 = 0x04;
const RECV_PACKET: u8 = 0x05;
const KEY_BYTES: usize = 32;

/// Who is in which place.
pub type Table = HashMap<[u8; KEY_BYTES], usize>;

/// A stretch of whole frames, and the place of whom they are for.
pub type Run = (usize, Range<usize>);

/// Turns every SendPacket of the client `from` into the RecvPacket that it becomes, where it stands: both have the same
/// length. Answers the runs, and how many bytes were whole frames. What is for nobody here, or no packet, is in no run.
pub fn runs(plain: &mut [u8], from: &[u8; KEY_BYTES], table: &Table) -> Result<(Vec<Run>, usize)> {
    let mut runs: Vec<Run> = Vec::new();
    let mut last: Option<([u8; KEY_BYTES], Option<usize>)> = None;
    let mut at = 0;
    while let Some((&mut [ref mut kind, ref length @ ..], rest)) =
        plain[at..].split_first_chunk_mut::<HEADER_BYTES>()
    {
        let length = u32::from_be_bytes(*length) as usize;
        ensure!(length <= KEY_BYTES + MAX_PACKET_BYTES, "a frame of {length} bytes");
        let Some(body) = rest.get_mut(..length) else { break };
        let (start, end) = (at, at + HEADER_BYTES + length);
        at = end;
        let (SEND_PACKET, Some((key, _))) = (*kind, body.split_first_chunk_mut::<KEY_BYTES>()) else {
            continue;
        };
        let place = match &last {
            Some((known, place)) if known == key => *place,
            _ => table.get(key).copied(),
        };
        last = Some((*key, place));
        *kind = RECV_PACKET;
        *key = *from;
        let Some(place) = place else { continue };
        match runs.last_mut() {
            Some((to, run)) if *to == place && run.end == start => run.end = end,
            _ => runs.push((place, start..end)),
        }
    }
    Ok((runs, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use derp::{Decoder, Frame};
    use ident::NodeKey;

    fn key(n: u8) -> NodeKey {
        NodeKey::from_bytes([n; KEY_BYTES]).unwrap()
    }

    fn send(to: u8, bytes: usize) -> Frame {
        Frame::SendPacket { to: key(to), packet: Bytes::from(vec![to; bytes]) }
    }

    #[test]
    fn what_is_for_one_goes_in_one_stretch_and_from_whom_it_came() {
        let table = Table::from([([1; KEY_BYTES], 10), ([2; KEY_BYTES], 20)]);
        let frames =
            [send(1, 30), send(1, 0), send(2, 7), Frame::KeepAlive, send(2, 8), send(9, 5), send(1, 6)];
        let mut plain: Vec<u8> = frames.iter().flat_map(|f| f.to_bytes().to_vec()).collect();
        let whole = plain.len();
        plain.extend_from_slice(&send(1, 50).to_bytes()[..40]);
        let (runs, used) = runs(&mut plain, &[3; KEY_BYTES], &table).unwrap();
        assert_eq!(used, whole);
        assert_eq!(runs.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [10, 20, 20, 10]);
        let mut got = Vec::new();
        for (to, run) in runs {
            let mut decoder = Decoder::new();
            decoder.push(&plain[run]);
            while let Some(frame) = decoder.next_frame().unwrap() {
                let Frame::RecvPacket { from, packet } = frame else { panic!("{frame:?}") };
                assert_eq!(from, key(3));
                assert!(packet.iter().all(|byte| usize::from(*byte) * 10 == to));
                got.push((to, packet.len()));
            }
        }
        assert_eq!(got, [(10, 30), (10, 0), (20, 7), (20, 8), (10, 6)]);
    }

    #[test]
    fn what_announces_too_much_is_refused() {
        let mut plain = [SEND_PACKET, 0, 2, 0, 0];
        assert!(runs(&mut plain, &[3; KEY_BYTES], &Table::new()).is_err());
    }
}
