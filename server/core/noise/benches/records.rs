//! What a message costs on its way through the channel, and a handshake: `cargo bench -p noise`.
#![allow(clippy::unwrap_used, reason = "all of this is measuring code")]

use bytes::BytesMut;
use divan::{Bencher, black_box, counter::BytesCount};
use noise::{Initiator, PrivateKey, Responder, Transport};

/// A small difference, a full record, and a map of a thousand peers.
const SIZES: [usize; 3] = [300, 4077, 240_000];

fn main() {
    divan::main();
}

fn keys() -> (PrivateKey, PrivateKey) {
    (PrivateKey::new([7; 32]).unwrap(), PrivateKey::new([9; 32]).unwrap())
}

/// Both ends of a channel: the server's, the client's.
fn channel() -> (Transport, Transport) {
    let (server, client) = keys();
    let (initiation, initiator) = Initiator::new(&client, server.public_key(), [11; 32], 130).unwrap();
    let accepted = Responder::accept(&server, [13; 32], &initiation).unwrap();
    let theirs = initiator.finish(&accepted.response).unwrap();
    (accepted.transport, theirs)
}

#[divan::bench(args = SIZES)]
fn seal(bencher: Bencher, bytes: usize) {
    let ((mut sealer, _), text) = (channel().0.split(), vec![0x2a; bytes]);
    let mut out = BytesMut::with_capacity(2 * bytes + 4096);
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        out.clear();
        sealer.seal(black_box(&text), &mut out).unwrap();
        out.len()
    });
}

#[divan::bench(args = SIZES)]
fn seal_and_open(bencher: Bencher, bytes: usize) {
    let (server, client) = channel();
    let ((mut sealer, _), (_, mut opener)) = (server.split(), client.split());
    let text = vec![0x2a; bytes];
    let (mut sealed, mut opened) = (BytesMut::new(), BytesMut::new());
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        sealed.clear();
        opened.clear();
        sealer.seal(black_box(&text), &mut sealed).unwrap();
        opener.push(&sealed, &mut opened).unwrap();
        assert_eq!(opened.len(), bytes);
    });
}

#[divan::bench]
fn accept_a_handshake(bencher: Bencher) {
    let (server, client) = keys();
    let (initiation, _) = Initiator::new(&client, server.public_key(), [11; 32], 130).unwrap();
    bencher.bench_local(|| Responder::accept(&server, [13; 32], black_box(&initiation)).unwrap());
}
