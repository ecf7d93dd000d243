//! Frame headers: a type, and a length in two bytes, big-endian.

pub(crate) const INITIATION: u8 = 1;
pub(crate) const RESPONSE: u8 = 2;
pub(crate) const ERROR: u8 = 3;
pub(crate) const RECORD: u8 = 4;

/// Type and length.
pub(crate) const HEADER_LEN: usize = 3;
/// Bytes of an authentication tag.
pub(crate) const TAG_LEN: usize = 16;
/// Bytes of an initiation, with the two of the version in front of its header.
pub const INITIATION_LEN: usize = 101;
/// Bytes of a response, with its header.
pub const RESPONSE_LEN: usize = 51;
/// Bytes of a whole record, at most.
pub(crate) const RECORD_MAX: usize = 4096;
/// Bytes that one record carries, at most.
pub const RECORD_MAX_PLAINTEXT: usize = RECORD_MAX - HEADER_LEN - TAG_LEN;

pub(crate) fn header(kind: u8, len: u16) -> [u8; HEADER_LEN] {
    let [high, low] = len.to_be_bytes();
    [kind, high, low]
}

/// Type and length in these bytes; `None` until all three are there.
pub(crate) fn read_header(bytes: &[u8]) -> Option<(u8, usize)> {
    let &[kind, high, low, ..] = bytes else { return None };
    Some((kind, usize::from(u16::from_be_bytes([high, low]))))
}

/// A refusal in place of a response; the other side cannot tell who wrote it. Cut after 1,024 bytes.
pub fn error_frame(text: &str) -> Vec<u8> {
    let text = &text.as_bytes()[..text.floor_char_boundary(1024)];
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    [&header(ERROR, len), text].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_frame_byte_for_byte() {
        // type 3, length 7, text
        assert_eq!(error_frame("go away"), b"\x03\x00\x07go away");
        let long = error_frame(&"é".repeat(4000));
        assert_eq!((long.len(), &long[..3]), (1027, &[3, 4, 0][..]));
    }
}
