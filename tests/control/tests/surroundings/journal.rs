//! What the servers of this program have logged as a warning or worse.

use std::{
    io,
    sync::{Mutex, Once},
};

use tracing::Level;

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Begins to write down.
pub fn open() {
    static OPEN: Once = Once::new();
    OPEN.call_once(|| {
        let log = tracing_subscriber::fmt().with_max_level(Level::WARN).with_ansi(false);
        log.with_writer(|| Page).init();
    });
}

/// The lines that say this.
pub fn lines_with(what: &str) -> Vec<String> {
    let text = String::from_utf8(LINES.lock().unwrap().clone()).unwrap();
    text.lines().filter(|line| line.contains(what)).map(str::to_owned).collect()
}

struct Page;

impl io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
