//! One event or answer is one line of JSON on standard output.

use std::io::Write;

use serde_json::Value;

/// Prints `line` whole and at once. Nobody left to read it is no error: the next read of a command ends the process.
pub fn say(line: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
