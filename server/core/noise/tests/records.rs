//! Laws of the records: any split gives the same plaintext, and nothing altered gets through.

use bytes::BytesMut;
use noise::{Initiator, PrivateKey, RECORD_MAX_PLAINTEXT, RecordError, Responder, Transport};
use proptest::{collection::vec, prelude::*};

#[cfg(test)]
mod sides {
    use super::*;

    /// A client's and a server's end of one channel.
    pub fn pair() -> (Transport, Transport) {
        let server = PrivateKey::new([1; 32]).unwrap();
        let client = PrivateKey::new([2; 32]).unwrap();
        let (initiation, initiator) = Initiator::new(&client, server.public_key(), [3; 32], 139).unwrap();
        let accepted = Responder::accept(&server, [4; 32], &initiation).unwrap();
        (initiator.finish(&accepted.response).unwrap(), accepted.transport)
    }

    pub fn sealed(plaintexts: &[Vec<u8>]) -> (BytesMut, Transport) {
        let (mut client, server) = pair();
        let mut records = BytesMut::new();
        for plaintext in plaintexts {
            client.sealer.seal(plaintext, &mut records).unwrap();
        }
        (records, server)
    }
}
use sides::{pair, sealed};

#[test]
fn large_plaintexts_fill_whole_records() {
    let plaintext = vec![7; 2 * RECORD_MAX_PLAINTEXT + 1];
    let (records, mut server) = sealed(std::slice::from_ref(&plaintext));
    assert_eq!(records.len(), 2 * 4096 + 3 + 16 + 1);
    assert_eq!(
        (&records[..3], &records[4096..4099], &records[8192..8195]),
        (&[4, 0x0f, 0xfd][..], &[4, 0x0f, 0xfd][..], &[4, 0, 17][..],)
    );
    let mut plain = BytesMut::new();
    server.opener.push(&records, &mut plain).unwrap();
    assert_eq!(plain, plaintext);
}

#[test]
fn both_directions_run_apart() {
    let (client, server) = pair();
    let ((mut client_seals, mut client_opens), (mut server_seals, mut server_opens)) =
        (client.split(), server.split());
    for n in 0..300u16 {
        let (mut up, mut down, mut plain) = (BytesMut::new(), BytesMut::new(), BytesMut::new());
        client_seals.seal(&n.to_be_bytes(), &mut up).unwrap();
        server_seals.seal(&n.to_le_bytes(), &mut down).unwrap();
        server_opens.push(&up, &mut plain).unwrap();
        client_opens.push(&down, &mut plain).unwrap();
        assert_eq!(&plain[..], [n.to_be_bytes(), n.to_le_bytes()].concat());
    }
}

#[test]
fn frames_that_are_no_records_kill_the_channel() {
    let cases = [
        (&[3, 0, 1, 0][..], RecordError::Kind),
        (&[2][..], RecordError::Kind),
        (&[4, 0x0f, 0xfe][..], RecordError::Length),
        (&[4, 0xff, 0xff][..], RecordError::Length),
        (&[4, 0, 15][..], RecordError::Length),
        (&[4, 0, 0][..], RecordError::Length),
    ];
    for (bytes, error) in cases {
        let (records, mut server) = sealed(&[b"genuine".to_vec()]);
        let mut plain = BytesMut::new();
        assert_eq!(server.opener.push(bytes, &mut plain), Err(error));
        assert_eq!(server.opener.push(&records, &mut plain), Err(error), "dead stays dead");
        assert!(plain.is_empty());
    }
}

#[test]
fn replayed_and_missing_records_are_refused() {
    let (records, mut server) = sealed(&[b"one".to_vec(), b"two".to_vec()]);
    let (one, two) = records.split_at(records.len() / 2);
    let mut plain = BytesMut::new();
    assert_eq!(server.opener.push(two, &mut plain), Err(RecordError::Tag));
    let (_, mut server) = pair();
    server.opener.push(one, &mut plain).unwrap();
    assert_eq!(server.opener.push(one, &mut plain), Err(RecordError::Tag));
    assert_eq!(&plain[..], b"one");
}

proptest! {
    #[test]
    fn parts_are_sealed_as_their_sum(parts in vec(vec(any::<u8>(), 0..6000), 0..6), most in 0usize..30_000) {
        let ((mut one, mut server), whole) = (pair(), parts.concat());
        let most = most.min(whole.len());
        let (mut records, mut plain) = (BytesMut::from(&b"before"[..]), BytesMut::new());
        one.sealer.seal_parts(parts.iter().map(|part| &part[..]), most, &mut records).unwrap();
        prop_assert_eq!(&sealed(&[whole[..most].to_vec()]).0, &records[6..]);
        server.opener.push(&records[6..], &mut plain).unwrap();
        prop_assert_eq!(&plain[..], &whole[..most]);
    }

    #[test]
    fn any_split_gives_the_same_plaintext(
        plaintexts in vec(vec(any::<u8>(), 0..9000), 0..6),
        cuts in vec(1usize..5000, 1..20),
    ) {
        let (records, mut server) = sealed(&plaintexts);
        let (mut rest, mut plain, mut cuts) = (&records[..], BytesMut::new(), cuts.iter().cycle());
        while let Some(&cut) = cuts.next().filter(|_| !rest.is_empty()) {
            let (taken, left) = rest.split_at(cut.min(rest.len()));
            server.opener.push(taken, &mut plain).unwrap();
            rest = left;
        }
        prop_assert_eq!(&plain[..], plaintexts.concat());
    }

    #[test]
    fn single_bytes_give_the_same_plaintext(plaintexts in vec(vec(any::<u8>(), 0..50), 0..6)) {
        let (records, mut server) = sealed(&plaintexts);
        let mut plain = BytesMut::new();
        for byte in &records {
            server.opener.push(std::slice::from_ref(byte), &mut plain).unwrap();
        }
        prop_assert_eq!(&plain[..], plaintexts.concat());
    }

    #[test]
    fn a_flipped_bit_never_gets_through(
        plaintexts in vec(vec(any::<u8>(), 1..60), 1..4),
        at in any::<prop::sample::Index>(),
        bit in 0u32..8,
    ) {
        let (mut records, mut server) = sealed(&plaintexts);
        let at = at.index(records.len());
        records[at] ^= 1u8 << bit;
        let mut plain = BytesMut::new();
        let end = server.opener.push(&records, &mut plain);
        let whole = plaintexts.concat();
        // a longer length may still wait for bytes, but then nothing more has come out
        prop_assert!(end.is_err() || plain.len() < whole.len());
        prop_assert!(whole.starts_with(&plain));
    }

    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..300)) {
        let (_, mut server) = pair();
        let mut plain = BytesMut::new();
        let _ = server.opener.push(&bytes, &mut plain);
        prop_assert!(plain.is_empty());
        let key = PrivateKey::new([1; 32]).unwrap();
        prop_assert!(Responder::accept(&key, [4; 32], &bytes).is_err());
    }
}
