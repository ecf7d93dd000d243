//! The handshake and the records, from somebody who does not hold the keys.
//!
//! The first byte says what the rest is: an initiation, a response, or a stream of records.

use bytes::BytesMut;
use noise::{Accepted, Initiator, Opener, PrivateKey, Responder};

use super::{Outcome, Target, law};
use crate::{Dice, mutate, pool::Pool};

const INITIATION: u8 = b'i';
const RESPONSE: u8 = b'r';
const VERSION: u16 = 130;
const GENUINE: &[u8] = b"what the client really said, and nothing else";

pub struct Noise;

struct Channel {
    server: PrivateKey,
    initiation: Vec<u8>,
    initiator: Initiator,
    accepted: Accepted,
}

fn channel() -> Result<Channel, String> {
    let key = |byte| PrivateKey::new([byte; 32]).map_err(|error| error.to_string());
    let (server, client) = (key(1)?, key(2)?);
    let (initiation, initiator) =
        Initiator::new(&client, server.public_key(), [3; 32], VERSION).map_err(|error| error.to_string())?;
    let accepted = Responder::accept(&server, [4; 32], &initiation).map_err(|error| error.to_string())?;
    Ok(Channel { server, initiation: initiation.to_vec(), initiator, accepted })
}

/// Two records, and the server's end that opens them.
fn records() -> Result<(Vec<u8>, Opener), String> {
    let channel = channel()?;
    let mut client =
        channel.initiator.finish(&channel.accepted.response).map_err(|error| error.to_string())?;
    let mut sealed = BytesMut::new();
    for part in GENUINE.chunks(GENUINE.len() / 2) {
        client.sealer.seal(part, &mut sealed).map_err(|error| error.to_string())?;
    }
    Ok((sealed.to_vec(), channel.accepted.transport.opener))
}

impl Target for Noise {
    fn name(&self) -> &'static str {
        "noise"
    }
    fn about(&self) -> &'static str {
        "handshake messages and records of a stranger, split anywhere"
    }
    fn seeds(&self) -> Vec<Vec<u8>> {
        let (Ok(channel), Ok((records, _))) = (channel(), records()) else { return Vec::new() };
        let marked = |kind: u8, bytes: &[u8]| [&[kind], bytes].concat();
        vec![
            marked(INITIATION, &channel.initiation),
            marked(RESPONSE, &channel.accepted.response),
            marked(RESPONSE, &noise::error_frame("go away")),
            marked(7, &records),
        ]
    }
    fn next(&self, pool: &Pool, dice: &mut Dice) -> Vec<u8> {
        mutate::framed(pool, dice)
    }
    fn run(&self, input: &[u8]) -> Result<Outcome, String> {
        match input.split_first() {
            None => Ok(Outcome::of("nothing")),
            Some((&INITIATION, bytes)) => initiation(bytes),
            Some((&RESPONSE, bytes)) => response(bytes),
            Some((slice, bytes)) => stream(usize::from(*slice).max(1), bytes),
        }
    }
}

fn initiation(bytes: &[u8]) -> Result<Outcome, String> {
    let Channel { server, initiation, .. } = channel()?;
    let version = noise::initiation_version(bytes);
    let result = Responder::accept(&server, [4; 32], bytes);
    law(result.is_ok() == (bytes == initiation), || format!("a forged initiation gives {result:?}"))?;
    law(version.is_ok() || result.is_err(), || "accepted without a version".to_owned())?;
    Ok(Outcome::of((INITIATION, version.is_ok(), result.map(|_| ()).map_err(|error| error.to_string()))))
}

fn response(bytes: &[u8]) -> Result<Outcome, String> {
    let Channel { initiator, accepted, .. } = channel()?;
    let result = initiator.finish(bytes);
    law(result.is_ok() == (bytes == accepted.response), || format!("a forged response gives {result:?}"))?;
    let what = result.map(|_| ()).map_err(|error| std::mem::discriminant(&error));
    Ok(Outcome::of((RESPONSE, what.is_ok(), format!("{what:?}"))))
}

/// All at once and in slices must be the same, and what comes out must have gone in.
fn stream(slice: usize, bytes: &[u8]) -> Result<Outcome, String> {
    let ((genuine, mut whole), (_, mut sliced)) = (records()?, records()?);
    let (mut all, mut some) = (BytesMut::new(), BytesMut::new());
    let at_once = whole.push(bytes, &mut all);
    let in_slices = bytes.chunks(slice).try_for_each(|piece| sliced.push(piece, &mut some));
    law(at_once == in_slices && all == some, || {
        format!("at once {at_once:?}, in slices of {slice} {in_slices:?}")
    })?;
    law(GENUINE.starts_with(&all), || format!("{} forged bytes came out", all.len()))?;
    let kept = bytes.iter().zip(&genuine).take_while(|(a, b)| a == b).count();
    law(kept == genuine.len() || all.len() < GENUINE.len(), || "an altered record was opened".to_owned())?;
    Ok(Outcome::of((at_once.map_err(|error| error.to_string()), all.len())))
}
