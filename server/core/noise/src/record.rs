//! Records: what flows when the handshake is done. Nonces are four zero bytes and a big-endian counter.

use std::fmt;

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use bytes::{BufMut, BytesMut};

use crate::frame::{HEADER_LEN, RECORD, RECORD_MAX, RECORD_MAX_PLAINTEXT, TAG_LEN, header, read_header};

/// Why a channel is dead; there is no way on after any of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("a frame that is no record")]
    Kind,
    #[error("a record of impossible length")]
    Length,
    #[error("a record that does not authenticate")]
    Tag,
    #[error("the channel has carried all the records it may")]
    Exhausted,
}

/// Both directions of an open channel.
#[derive(Debug)]
pub struct Transport {
    pub sealer: Sealer,
    pub opener: Opener,
}

impl Transport {
    pub(crate) fn new(seal: &[u8; 32], open: &[u8; 32]) -> Option<Self> {
        let sealer = Sealer(Direction::new(seal)?);
        let opener = Opener { direction: Direction::new(open)?, partial: BytesMut::new(), dead: None };
        Some(Self { sealer, opener })
    }

    /// The two directions, to be used apart.
    pub fn split(self) -> (Sealer, Opener) {
        (self.sealer, self.opener)
    }
}

/// Plaintext in, records out.
pub struct Sealer(Direction);

impl Sealer {
    /// Appends the plaintext to `out` in as few records as possible; nothing for no plaintext.
    pub fn seal(&mut self, plaintext: &[u8], out: &mut BytesMut) -> Result<(), RecordError> {
        self.seal_parts([plaintext], plaintext.len(), out)
    }

    /// The same for a plaintext that lies in parts, of which at most the first `most` bytes are taken.
    pub fn seal_parts<'a>(
        &mut self,
        parts: impl IntoIterator<Item = &'a [u8]>,
        most: usize,
        out: &mut BytesMut,
    ) -> Result<(), RecordError> {
        let records = most.div_ceil(RECORD_MAX_PLAINTEXT);
        out.reserve(most + records * (HEADER_LEN + TAG_LEN));
        let mut left = most;
        let mut record = None;
        for mut part in parts {
            part = &part[..part.len().min(left)];
            left -= part.len();
            while !part.is_empty() {
                let begun: Begun = record.take().unwrap_or_else(|| Begun::at_end_of(out));
                let (taken, rest) = part.split_at(part.len().min(begun.room(out)));
                out.put_slice(taken);
                part = rest;
                if begun.room(out) == 0 {
                    self.finish(begun, out)?;
                } else {
                    record = Some(begun);
                }
            }
        }
        record.map_or(Ok(()), |begun| self.finish(begun, out))
    }

    fn finish(&mut self, Begun { start }: Begun, out: &mut BytesMut) -> Result<(), RecordError> {
        let sealed = self.0.next().and_then(|nonce| {
            let (head, text) = out[start..].split_at_mut(HEADER_LEN);
            head.copy_from_slice(&header(RECORD, (text.len() + TAG_LEN) as u16));
            let tag = self.0.key.seal_in_place_separate_tag(nonce, Aad::empty(), text);
            tag.map_err(|_| RecordError::Tag)
        });
        match sealed {
            Ok(tag) => out.put_slice(tag.as_ref()),
            Err(error) => {
                out.truncate(start);
                return Err(error);
            }
        }
        Ok(())
    }
}

/// A record whose plaintext is being put together.
struct Begun {
    start: usize,
}

impl Begun {
    fn at_end_of(out: &mut BytesMut) -> Self {
        let start = out.len();
        out.put_bytes(0, HEADER_LEN);
        Self { start }
    }

    fn room(&self, out: &BytesMut) -> usize {
        RECORD_MAX_PLAINTEXT + HEADER_LEN - (out.len() - self.start)
    }
}

/// Records in, in any chunking; plaintext out. Holds less than one record.
pub struct Opener {
    direction: Direction,
    partial: BytesMut,
    dead: Option<RecordError>,
}

impl Opener {
    /// Takes the next bytes and appends to `out` the plaintext of every record that they complete. After an error
    /// every call fails with the same; what was appended before it is genuine.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut BytesMut) -> Result<(), RecordError> {
        if let Some(error) = self.dead {
            return Err(error);
        }
        while !bytes.is_empty() {
            match self.step(bytes, out) {
                Ok(rest) => bytes = rest,
                Err(error) => {
                    self.dead = Some(error);
                    self.partial = BytesMut::new();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Consumes at least one byte, at most one record.
    fn step<'a>(&mut self, bytes: &'a [u8], out: &mut BytesMut) -> Result<&'a [u8], RecordError> {
        if self.partial.is_empty()
            && let Some(len) = record_len(bytes)?
            && let Some((record, rest)) = bytes.split_at_checked(len)
        {
            self.direction.open(&record[HEADER_LEN..], out)?;
            return Ok(rest);
        }
        let wanted = record_len(&self.partial)?.unwrap_or(HEADER_LEN);
        let (taken, rest) = bytes.split_at(bytes.len().min(wanted.saturating_sub(self.partial.len())));
        self.partial.put_slice(taken);
        if let Some(len) = record_len(&self.partial)?
            && self.partial.len() == len
        {
            self.direction.open(&self.partial[HEADER_LEN..], out)?;
            self.partial = BytesMut::new();
        }
        Ok(rest)
    }
}

/// Bytes of the whole record that begins here; `None` until its header is there.
fn record_len(bytes: &[u8]) -> Result<Option<usize>, RecordError> {
    if bytes.first().is_some_and(|&kind| kind != RECORD) {
        return Err(RecordError::Kind);
    }
    let Some((_, len)) = read_header(bytes) else { return Ok(None) };
    if !(TAG_LEN..=RECORD_MAX - HEADER_LEN).contains(&len) {
        return Err(RecordError::Length);
    }
    Ok(Some(HEADER_LEN + len))
}

struct Direction {
    key: LessSafeKey,
    counter: u64,
}

impl Direction {
    fn new(key: &[u8; 32]) -> Option<Self> {
        Some(Self { key: LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).ok()?), counter: 0 })
    }

    /// The nonce of the next record; the counter's last value is never used.
    fn next(&mut self) -> Result<Nonce, RecordError> {
        if self.counter == u64::MAX {
            return Err(RecordError::Exhausted);
        }
        let mut nonce = [0; NONCE_LEN];
        nonce[4..].copy_from_slice(&self.counter.to_be_bytes());
        self.counter += 1;
        Ok(Nonce::assume_unique_for_key(nonce))
    }

    fn open(&mut self, ciphertext: &[u8], out: &mut BytesMut) -> Result<(), RecordError> {
        let nonce = self.next()?;
        let start = out.len();
        out.put_slice(ciphertext);
        let opened = self.key.open_in_place(nonce, Aad::empty(), &mut out[start..]).map(|plain| plain.len());
        out.truncate(start + opened.unwrap_or(0));
        opened.map(drop).map_err(|_| RecordError::Tag)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer(after {} records)", self.0.counter)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener(after {} records)", self.direction.counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_counter_is_never_used() {
        let mut one = Transport::new(&[1; 32], &[1; 32]).unwrap();
        one.sealer.0.counter = u64::MAX - 1;
        one.opener.direction.counter = u64::MAX - 1;
        let (mut sealed, mut plain) = (BytesMut::new(), BytesMut::new());
        one.sealer.seal(b"last", &mut sealed).unwrap();
        one.opener.push(&sealed, &mut plain).unwrap();
        assert_eq!(&plain[..], b"last");
        assert_eq!(one.sealer.seal(b"over", &mut sealed), Err(RecordError::Exhausted));
        assert_eq!(one.opener.push(&sealed, &mut plain), Err(RecordError::Exhausted));
        assert_eq!(&plain[..], b"last");
    }
}
