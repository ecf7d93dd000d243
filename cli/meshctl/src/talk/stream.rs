//! Server-sent events, decoded as they come.

use std::marker::PhantomData;

use reqwest::Response;
use serde::de::DeserializeOwned;

use super::Failure;

/// The longest event that is read.
const LONGEST_EVENT: usize = 4 << 20;

/// An open stream of events.
pub struct Events<O> {
    response: Response,
    decoder: Decoder,
    place: String,
    type_: PhantomData<O>,
}

impl<O: DeserializeOwned> Events<O> {
    /// Reads from this answer; `place` names the server in errors.
    pub(super) fn new(response: Response, place: String) -> Self {
        Self { response, decoder: Decoder::default(), place, type_: PhantomData }
    }
    /// The next event; `None` when the server has closed the stream.
    pub async fn next(&mut self) -> Result<Option<O>, Failure> {
        loop {
            if let Some(data) = self.decoder.event() {
                let event = serde_json::from_str(&data);
                return event.map(Some).map_err(|e| self.broken(&format!("an event does not fit: {e}")));
            }
            let chunk = self.response.chunk().await.map_err(|e| self.broken(&e.to_string()))?;
            let Some(chunk) = chunk else { return Ok(None) };
            if !self.decoder.push(&chunk) {
                return Err(self.broken("an event is too long"));
            }
        }
    }
    fn broken(&self, why: &str) -> Failure {
        Failure::failed(format!("the stream from {} broke: {why}", self.place)).code("stream_broken")
    }
}

/// Lines to events: `data:` lines are collected until an empty line; everything else is for browsers.
#[derive(Default)]
struct Decoder {
    buffer: Vec<u8>,
    data: Vec<String>,
}

impl Decoder {
    /// Takes bytes in; false when an event grows over the limit.
    fn push(&mut self, bytes: &[u8]) -> bool {
        self.buffer.extend_from_slice(bytes);
        self.buffer.len() + self.data.iter().map(String::len).sum::<usize>() <= LONGEST_EVENT
    }
    /// The next complete event's data.
    fn event(&mut self) -> Option<String> {
        while let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if let Some(data) = line.strip_prefix("data:") {
                self.data.push(data.strip_prefix(' ').unwrap_or(data).to_owned());
            } else if line.is_empty() && !self.data.is_empty() {
                return Some(std::mem::take(&mut self.data).join("\n"));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_split_of_the_bytes_gives_the_same_events() {
        let text = b": hello\n\nid: 1\ndata: {\"a\":1}\n\nid: 2\r\ndata: x\r\ndata:y\r\n\r\ndata: half";
        for size in 1..text.len() {
            let mut decoder = Decoder::default();
            let mut events = Vec::new();
            for chunk in text.chunks(size) {
                assert!(decoder.push(chunk));
                while let Some(event) = decoder.event() {
                    events.push(event);
                }
            }
            assert_eq!(events, ["{\"a\":1}", "x\ny"], "chunks of {size}");
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut decoder = Decoder::default();
        assert!(decoder.push(&vec![b'x'; LONGEST_EVENT]));
        assert!(!decoder.push(b"x"));
    }
}
