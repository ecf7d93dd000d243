//! The relay's frames and hello. The first byte is the size of the slices in which the rest arrives; 0 is a hello.

use derp::{ClientInfo, ClientKey, Decoder, Frame, ServerKey};
use ident::{NodeKey, Secret};

use super::{Outcome, Target, law};
use crate::{Dice, mutate, pool::Pool};

pub struct Derp;

fn keys() -> Result<(ServerKey, ClientKey), String> {
    let client = ClientKey::new(Secret::new([2; 32])).map_err(|error| error.to_string())?;
    Ok((ServerKey::new(Secret::new([1; 32])), client))
}

fn hello() -> Result<Frame, String> {
    let (server, client) = keys()?;
    let info = ClientInfo { version: 2, can_ack_pings: true, ..ClientInfo::default() };
    client.seal_client_info(&server.public(), [7; 24], &info).map_err(|error| error.to_string())
}

fn words() -> Result<Vec<Frame>, String> {
    let key = NodeKey::from_bytes([9; 32]).map_err(|error| error.to_string())?;
    let (server, client) = keys()?;
    let packet = bytes::Bytes::from_static(b"a packet");
    Ok(vec![
        server.greeting(),
        hello()?,
        server.seal_server_info(&client.public(), [8; 24]).map_err(|error| error.to_string())?,
        Frame::SendPacket { to: key, packet: packet.clone() },
        Frame::RecvPacket { from: key, packet },
        Frame::KeepAlive,
        Frame::NotePreferred(true),
        Frame::PeerGone { peer: key, reason: derp::Gone::NotHere },
        Frame::Ping([1; 8]),
        Frame::Pong([2; 8]),
        Frame::Health(bytes::Bytes::from_static(b"unwell")),
        Frame::Restarting { reconnect_in_ms: 1000, try_for_ms: 60_000 },
    ])
}

impl Target for Derp {
    fn name(&self) -> &'static str {
        "derp"
    }
    fn about(&self) -> &'static str {
        "frames of the relay, split anywhere, and its hello"
    }
    fn longest(&self) -> usize {
        80 << 10
    }
    fn seeds(&self) -> Vec<Vec<u8>> {
        let words = words().unwrap_or_default();
        let all: Vec<u8> = words.iter().flat_map(|frame| frame.to_bytes()).collect();
        let mut seeds: Vec<Vec<u8>> =
            words.iter().map(|frame| [&[3], &frame.to_bytes()[..]].concat()).collect();
        seeds.push([&[200], &all[..]].concat());
        if let Ok(Frame::ClientInfo { sealed, .. }) = hello() {
            seeds.push([&[0], &sealed[..]].concat());
        }
        seeds
    }
    fn next(&self, pool: &Pool, dice: &mut Dice) -> Vec<u8> {
        mutate::framed(pool, dice)
    }
    fn run(&self, input: &[u8]) -> Result<Outcome, String> {
        match input.split_first() {
            None => Ok(Outcome::of("nothing")),
            Some((0, sealed)) => claim(sealed),
            Some((slice, bytes)) => stream(usize::from(*slice), bytes),
        }
    }
}

fn claim(sealed: &[u8]) -> Result<Outcome, String> {
    let (server, client) = keys()?;
    let genuine = matches!(hello()?, Frame::ClientInfo { sealed: right, .. } if right == sealed);
    let result = server.open_client_info(&client.public(), sealed);
    law(result.is_ok() == genuine, || format!("a forged hello gives {result:?}"))?;
    Ok(Outcome::of((genuine, sealed.len().min(64))))
}

type Read = (Vec<Frame>, Option<String>);

fn stream(slice: usize, bytes: &[u8]) -> Result<Outcome, String> {
    let (at_once, in_slices) =
        (frames(&mut Decoder::new(), [bytes])?, frames(&mut Decoder::new(), bytes.chunks(slice))?);
    law(at_once == in_slices, || format!("at once {at_once:?}, in slices of {slice} {in_slices:?}"))?;
    for frame in &at_once.0 {
        let again = frames(&mut Decoder::new(), [&frame.to_bytes()[..]])?;
        law(again == (vec![frame.clone()], None), || format!("{frame:?} is read back as {again:?}"))?;
    }
    let kinds: Vec<_> = at_once.0.iter().take(4).map(std::mem::discriminant).collect();
    let error = at_once.1.map(|text| text.split(' ').take(4).collect::<Vec<_>>().join(" "));
    Ok(Outcome::of((kinds, error)))
}

fn frames<'a>(decoder: &mut Decoder, slices: impl IntoIterator<Item = &'a [u8]>) -> Result<Read, String> {
    let mut read = Vec::new();
    for slice in slices {
        decoder.push(slice);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => read.push(frame),
                Ok(None) => break,
                Err(error) => return Ok((read, Some(error.to_string()))),
            }
        }
        let held = decoder.buffer().len();
        let bound = derp::HEADER_BYTES + derp::MAX_CLIENT_INFO_BYTES + 32;
        law(held <= bound, || format!("{held} bytes are held"))?;
    }
    Ok((read, None))
}
