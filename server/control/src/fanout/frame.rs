//! How a message of a map stream travels: its length and its bytes.

use std::{cell::RefCell, io};

use bytes::Bytes;
use wire::{EncodeError, MapResponse};
use zstd::bulk::Compressor;

/// Fast and good enough: maps are repetitive.
const LEVEL: i32 = 1;

/// What the client asked for with `Compress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// A zstd frame per message.
    Zstd,
    /// Bare JSON.
    Plain,
}

/// A message that cannot be rendered; a fault of ours.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// It has no JSON form.
    #[error(transparent)]
    Json(#[from] EncodeError),
    /// It could not be compressed, or is longer than 4 GiB.
    #[error("cannot be compressed: {0}")]
    Body(#[from] io::Error),
}

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// The payload behind its length as u32, little-endian.
pub(super) fn framed(json: &[u8], encoding: Encoding) -> Result<Bytes, FrameError> {
    let zstd = match encoding {
        Encoding::Plain => None,
        Encoding::Zstd => Some(compressed(json)?),
    };
    let payload = zstd.as_deref().unwrap_or(json);
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    Ok([&length.to_le_bytes(), payload].concat().into())
}

/// A message that few get.
pub(super) fn rendered(message: &MapResponse, encoding: Encoding) -> Result<Bytes, FrameError> {
    framed(&wire::encode(message)?, encoding)
}

fn compressed(json: &[u8]) -> io::Result<Vec<u8>> {
    COMPRESSOR.with(|cell| {
        let mut cell = cell.borrow_mut();
        let compressor = match &mut *cell {
            Some(ready) => ready,
            none => none.insert(Compressor::new(LEVEL)?),
        };
        compressor.compress(json)
    })
}
