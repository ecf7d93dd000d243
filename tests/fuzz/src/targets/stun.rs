//! STUN datagrams.

use std::net::SocketAddr;

use derp::stun;

use super::{Outcome, Target, law};

pub struct Stun;

impl Target for Stun {
    fn name(&self) -> &'static str {
        "stun"
    }
    fn about(&self) -> &'static str {
        "datagrams at the STUN port, and answers to them"
    }
    fn longest(&self) -> usize {
        1 << 10
    }
    fn seeds(&self) -> Vec<Vec<u8>> {
        let transaction = *b"0123456789ab";
        let reply = |text: &str| {
            text.parse().map(|source: SocketAddr| stun::encode_reply(&transaction, source).as_ref().to_vec())
        };
        let replies = ["192.0.2.1:1234", "[2001:db8::1]:443"].into_iter().filter_map(|text| reply(text).ok());
        std::iter::once(stun::encode_request(&transaction)).chain(replies).collect()
    }
    fn run(&self, input: &[u8]) -> Result<Outcome, String> {
        let request = stun::parse_request(input);
        if let Some(transaction) = request {
            let source = SocketAddr::from(([192, 0, 2, 1], 7));
            let reply = stun::encode_reply(&transaction, source);
            let reply = reply.as_ref();
            law(reply.len() * 10 <= input.len() * 11, || "the answer amplifies".to_owned())?;
            law(stun::parse_reply(reply) == Some((transaction, source)), || {
                "the answer is not read back".to_owned()
            })?;
        }
        let reply = stun::parse_reply(input);
        law(request.is_none() || reply.is_none(), || "a request that is an answer".to_owned())?;
        if let Some((transaction, source)) = reply {
            let again = stun::parse_reply(stun::encode_reply(&transaction, source).as_ref());
            let canonical = SocketAddr::new(source.ip().to_canonical(), source.port());
            law(again == Some((transaction, canonical)), || format!("{source} comes back as {again:?}"))?;
        }
        Ok(Outcome::of((request.is_some(), reply.map(|(_, source)| source.is_ipv4()))))
    }
}
