//! Messages as the wire carries them: a length, then JSON or one zstd frame of it.

use std::cell::RefCell;

use bytes::{BufMut, Bytes, BytesMut};
use wire::MapResponse;
use zstd::bulk::Compressor;

/// How a client wants its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// A zstd frame each.
    Zstd,
    /// Bare JSON.
    Plain,
}

/// The best level for maps: higher ones take longer and save nothing.
const LEVEL: i32 = 1;

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(LEVEL).ok());
}

/// A message with its length in front; none when it cannot be written, which is logged.
pub(super) fn framed(message: &MapResponse, encoding: Encoding) -> Option<Bytes> {
    match wire::encode(message) {
        Ok(json) => framed_json(&json, encoding),
        Err(e) => {
            tracing::error!(error = %e, "a message cannot be written");
            None
        }
    }
}

/// The same for JSON that is there already.
pub(super) fn framed_json(json: &[u8], encoding: Encoding) -> Option<Bytes> {
    match encoding {
        Encoding::Plain => with_length(json),
        Encoding::Zstd => with_length(&compressed(json)?),
    }
}

fn compressed(json: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|compressor| compressor.as_mut()?.compress(json).ok())
}

/// Lengths are little-endian.
fn with_length(payload: &[u8]) -> Option<Bytes> {
    let length = u32::try_from(payload.len()).ok()?;
    let mut framed = BytesMut::with_capacity(4 + payload.len());
    framed.put_u32_le(length);
    framed.put_slice(payload);
    Some(framed.freeze())
}
