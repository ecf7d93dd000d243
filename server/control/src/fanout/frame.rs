//! How a message of a map stream travels: its length and its bytes.

use std::{cell::RefCell, io};

use bytes::Bytes;
use wire::{EncodeError, MapResponse};
use zstd::bulk::Compressor;

/// Fast and good enough: maps are repetitive.
const LEVEL: i32 = 1;
/// Shorter parts are stored as they are.
const RAW_BELOW: usize = 512;
/// What [`stored`] makes of `,`.
const STORED_COMMA: [u8; 10] = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 0x09, 0, 0, b','];

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

/// The payload behind its length.
pub(super) fn framed(json: &[u8], encoding: Encoding) -> Result<Bytes, FrameError> {
    let payload = match encoding {
        Encoding::Plain => Bytes::copy_from_slice(json),
        Encoding::Zstd => compressed(json)?.into(),
    };
    Ok([&length(std::slice::from_ref(&payload))?[..], &payload].concat().into())
}

/// The length of a payload, of which these are the parts, as u32, little-endian.
pub(super) fn length(parts: &[Bytes]) -> Result<Bytes, FrameError> {
    let sum: usize = parts.iter().map(Bytes::len).sum();
    let length = u32::try_from(sum).map_err(io::Error::other)?;
    Ok(Bytes::copy_from_slice(&length.to_le_bytes()))
}

/// A part of a message: a zstd frame of its own, which clients decode one after another, or bare JSON.
pub(super) fn packed(json: &[u8], encoding: Encoding) -> Result<Vec<u8>, FrameError> {
    match encoding {
        Encoding::Plain => Ok(json.to_vec()),
        Encoding::Zstd if json.len() < RAW_BELOW => Ok(stored(json)),
        Encoding::Zstd => Ok(compressed(json)?),
    }
}

/// `,` as a part of a message.
pub(super) fn comma(encoding: Encoding) -> &'static [u8] {
    match encoding {
        Encoding::Plain => b",",
        Encoding::Zstd => &STORED_COMMA,
    }
}

/// A message that few get.
pub(super) fn rendered(message: &MapResponse, encoding: Encoding) -> Result<Bytes, FrameError> {
    framed(&wire::encode(message)?, encoding)
}

/// A zstd frame of one raw block, as RFC 8878 has it; for less than 512 bytes.
fn stored(json: &[u8]) -> Vec<u8> {
    // Single segment, no checksum; the content's size is one byte, or from 256 on two bytes that hold 256 less.
    let size = match u8::try_from(json.len()) {
        Ok(short) => vec![0x20, short],
        Err(_) => [&[0x60], &((json.len() - 256) as u16).to_le_bytes()[..]].concat(),
    };
    // The block's size above three bits: raw, and the last.
    let block = ((json.len() as u32) << 3 | 1).to_le_bytes();
    [&[0x28, 0xb5, 0x2f, 0xfd], &size[..], &block[..3], json].concat()
}

fn compressed(json: &[u8]) -> io::Result<Vec<u8>> {
    COMPRESSOR.with(|cell| {
        let mut cell = cell.borrow_mut();
        let compressor = match &mut *cell {
            Some(ready) => ready,
            none => none.insert(Compressor::new(LEVEL)?),
        };
        let mut frame = compressor.compress(json)?;
        frame.shrink_to_fit();
        Ok(frame)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_any_length_are_one_payload_in_the_end() {
        let (mut payload, mut json) = (Vec::new(), Vec::new());
        for n in [0, 1, 255, 256, 257, RAW_BELOW - 1, RAW_BELOW, 5000] {
            let part: Vec<u8> = (0..n).map(|i| (i * 7 % 251) as u8).collect();
            payload.extend(packed(&part, Encoding::Zstd).unwrap());
            payload.extend(comma(Encoding::Zstd));
            json.extend(part);
            json.push(b',');
        }
        assert_eq!(zstd::stream::decode_all(&payload[..]).unwrap(), json);
    }

    #[test]
    fn a_stored_part_is_a_frame_by_the_book() {
        assert_eq!(stored(b","), STORED_COMMA);
        let frame = stored(&[b'x'; 300]);
        // Magic number; single segment with a size of two bytes; 300 - 256; 300 << 3 | 1, little-endian.
        assert_eq!(frame[..10], [0x28, 0xb5, 0x2f, 0xfd, 0x60, 44, 0, 0x61, 0x09, 0]);
        assert_eq!(frame.len(), 310);
    }
}
