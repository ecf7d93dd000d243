//! The body of a long poll: length, message, length, message.

use std::{io::Read, sync::Arc};

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use wire::MapResponse;

use crate::{Dialect, client::Driver};

/// Bytes of one message, packed or not, that a client would still take.
const LARGEST: usize = 256 << 20;

/// Messages as they come.
#[derive(Debug)]
pub struct MapStream {
    body: Incoming,
    zstd: bool,
    dialect: Dialect,
    received: BytesMut,
    keep_alives: u64,
    _driver: Arc<Driver>,
}

impl MapStream {
    pub(crate) fn new(body: Incoming, zstd: bool, dialect: Dialect, driver: Arc<Driver>) -> Self {
        Self { body, zstd, dialect, received: BytesMut::new(), keep_alives: 0, _driver: driver }
    }

    /// The next message that says more than "I live"; `None` when the stream has ended. Safe to drop half-way.
    pub async fn next(&mut self) -> Result<Option<MapResponse>> {
        loop {
            let Some(packed) = self.next_packed().await? else { return Ok(None) };
            let message = self.decode(&packed)?;
            if message != MapResponse::keep_alive() {
                return Ok(Some(message));
            }
            self.keep_alives += 1;
        }
    }

    /// The next message as it travels, keepalives included.
    pub async fn next_packed(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(message) = self.cut()? {
                return Ok(Some(message));
            }
            match self.body.frame().await {
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        self.received.extend_from_slice(&data);
                    }
                }
                None if self.received.is_empty() => return Ok(None),
                None => bail!("the stream ended inside a message"),
            }
        }
    }

    /// What a packed message says. Fails on anything that the strictest client could not read.
    pub fn decode(&self, packed: &[u8]) -> Result<MapResponse> {
        let unpacked = if self.zstd { Some(unzip(packed)?) } else { None };
        let json = unpacked.as_deref().unwrap_or(packed);
        let plain = self.dialect != Dialect::Strict || !holds_escapes(json);
        ensure!(plain, "a message holds an escape");
        self.dialect.decode(json).context("a map message")
    }

    /// Bare keepalives that [`MapStream::next`] has passed over.
    pub fn keep_alives(&self) -> u64 {
        self.keep_alives
    }

    fn cut(&mut self) -> Result<Option<Bytes>> {
        let Some(len) = self.received.first_chunk().map(|len| u32::from_le_bytes(*len) as usize) else {
            return Ok(None);
        };
        ensure!(len <= LARGEST, "a message of {len} bytes");
        if self.received.len() < 4 + len {
            return Ok(None);
        }
        self.received.advance(4);
        let message = self.received.split_to(len).freeze();
        if self.received.is_empty() {
            self.received = BytesMut::new();
        }
        Ok(Some(message))
    }
}

/// Whether there is a backslash elsewhere than in the arguments of capabilities, which every client takes as they stand.
fn holds_escapes(json: &[u8]) -> bool {
    let (mut depth, mut caps, mut text, mut key) = (0, None, None, &json[..0]);
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        match (byte, text) {
            (b'\\', _) if caps.is_none_or(|caps| depth <= caps) => return true,
            (b'\\', _) => at += 1,
            (b'"', None) => text = Some(at + 1),
            (b'"', Some(start)) => (key, text) = (json.get(start..at).unwrap_or_default(), None),
            (b'{' | b'[', None) => {
                depth += 1;
                caps = caps.or((key == b"CapMap").then_some(depth));
            }
            (b'}' | b']', None) => {
                depth -= 1;
                caps = caps.filter(|caps| depth >= *caps);
            }
            _ => {}
        }
        at += 1;
    }
    false
}

/// All frames of the message, one after another.
fn unzip(packed: &[u8]) -> Result<Vec<u8>> {
    let mut json = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(packed)?;
    decoder.take(LARGEST as u64 + 1).read_to_end(&mut json).context("a zstd message")?;
    ensure!(json.len() <= LARGEST, "a message that unpacks to over {LARGEST} bytes");
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::holds_escapes;

    #[test]
    fn arguments_of_capabilities_alone_may_hold_escapes() {
        for right in [
            r#"{"Name":"a","CapMap":{"x":[{"a":"\"\\"},"\u0041"],"y":[]},"Peers":[{"CapMap":{"z":["\""]}}]}"#,
            r#"{"CapMap":{},"Name":"CapMap"}"#,
            "",
        ] {
            assert!(!holds_escapes(right.as_bytes()), "{right}");
        }
        for wrong in [
            r#"{"Name":"\""}"#,
            r#"{"CapMap":{"\"":[]}}"#,
            r#"{"CapMap":{"x":["\""]},"Name":"\""}"#,
            r#"{"CapMap":{"x":["}"]},"Peers":[{"Name":"\u0041"}]}"#,
        ] {
            assert!(holds_escapes(wrong.as_bytes()), "{wrong}");
        }
    }
}
