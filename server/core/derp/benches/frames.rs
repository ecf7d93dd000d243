//! What a relayed packet of 1,300 bytes costs before any socket: `cargo bench -p derp`.
#![allow(clippy::unwrap_used, reason = "all of this is measuring code")]

use bytes::Bytes;
use derp::{Decoder, Frame, put_recv_packet, stun};
use divan::{Bencher, black_box, counter::BytesCount};
use ident::NodeKey;

const PACKET_BYTES: usize = 1300;
/// What one read from a busy connection holds.
const FRAMES: usize = 32;

fn main() {
    divan::main();
}

fn key() -> NodeKey {
    NodeKey::from_bytes([7; 32]).unwrap()
}

fn packet() -> Bytes {
    Bytes::from(vec![0xda; PACKET_BYTES])
}

#[divan::bench]
fn encode_frame(bencher: Bencher) {
    let (frame, mut out) = (Frame::RecvPacket { from: key(), packet: packet() }, Vec::with_capacity(2048));
    bencher.counter(BytesCount::new(PACKET_BYTES)).bench_local(|| {
        out.clear();
        black_box(&frame).encode(&mut out);
        out.len()
    });
}

#[divan::bench]
fn put_frame(bencher: Bencher) {
    let (from, packet, mut out) = (key(), packet(), Vec::with_capacity(2048));
    bencher.counter(BytesCount::new(PACKET_BYTES)).bench_local(|| {
        out.clear();
        put_recv_packet(&mut out, black_box(&from), black_box(&packet));
        out.len()
    });
}

#[divan::bench]
fn decode_32_frames(bencher: Bencher) {
    let bytes = Frame::SendPacket { to: key(), packet: packet() }.to_bytes().repeat(FRAMES);
    let mut decoder = Decoder::new();
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
        decoder.push(&bytes);
        let mut frames = 0;
        while let Some(frame) = decoder.next_frame().unwrap() {
            black_box(frame);
            frames += 1;
        }
        assert_eq!(frames, FRAMES);
    });
}

#[divan::bench]
fn answer_an_address_question(bencher: Bencher) {
    let (question, from) = (stun::encode_request(&[5; 12]), "192.0.2.7:41641".parse().unwrap());
    bencher.bench_local(|| {
        let transaction = stun::parse_request(black_box(&question)).unwrap();
        stun::encode_reply(&transaction, black_box(from))
    });
}
