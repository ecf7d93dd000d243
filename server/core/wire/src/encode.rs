//! The one JSON dialect that every client reads: raw UTF-8 and not a single backslash, since the strictest client
//! borrows its strings from the buffer and fails on any escape. Arguments of capabilities alone are JSON as it comes.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

/// A value that has no JSON form, such as a map whose keys are no texts.
#[derive(Debug, thiserror::Error)]
#[error("cannot be written as JSON: {0}")]
pub struct EncodeError(#[from] serde_json::Error);

/// The value as JSON without escapes: in texts `"` becomes `'`, `\` becomes `/`, and control characters blanks.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::with_capacity(256);
    encode_into(&mut out, value)?;
    Ok(out)
}

/// The same, behind what the buffer holds.
pub fn encode_into<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), EncodeError> {
    Ok(value.serialize(&mut Serializer::with_formatter(out, NoEscapes))?)
}

/// The text without what JSON would escape or a terminal would obey: control characters, quotes, backslashes and
/// marks that turn the direction of writing.
pub fn plain(text: &str) -> String {
    text.chars().filter(|&c| is_plain(c)).collect()
}

fn is_plain(c: char) -> bool {
    !c.is_control() && !matches!(c, '"' | '\\' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

struct NoEscapes;

impl Formatter for NoEscapes {
    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        out.write_all(match escape {
            CharEscape::Quote => b"'",
            CharEscape::ReverseSolidus | CharEscape::Solidus => b"/",
            _ => b" ",
        })
    }
}
