//! Asking at the terminal, without echo.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{BufRead, BufReader, Write},
    sync::Mutex,
};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::talk::Failure;

/// What was asked before: nobody is asked the same twice.
static ANSWERS: Mutex<BTreeMap<String, Zeroizing<Vec<u8>>>> = Mutex::new(BTreeMap::new());

/// One line from the terminal, blanks at both ends left out.
pub fn ask(words: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut answers = ANSWERS.lock().map_err(|_| Failure::failed("a question was interrupted"))?;
    if let Some(answer) = answers.get(words) {
        return Ok(answer.clone());
    }
    let answer = typed(words)?;
    answers.insert(words.to_owned(), answer.clone());
    Ok(answer)
}

fn typed(words: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let none = |e: std::io::Error| {
        Failure::failed(format!("there is no terminal to ask for the password: {e}"))
            .code("no_terminal")
            .hint("name a file with --vault-password-file")
    };
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(none)?;
    let before = tcgetattr(&terminal).map_err(|e| none(e.into()))?;
    let mut silent = before.clone();
    silent.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&terminal, SetArg::TCSAFLUSH, &silent).map_err(|e| none(e.into()))?;
    let mut line = Zeroizing::new(Vec::new());
    let asked = terminal
        .write_all(words.as_bytes())
        .and_then(|()| BufReader::with_capacity(1, &terminal).read_until(b'\n', &mut line));
    let restored = tcsetattr(&terminal, SetArg::TCSAFLUSH, &before);
    let _ = terminal.write_all(b"\n");
    asked.map_err(none)?;
    restored.map_err(|e| none(e.into()))?;
    Ok(Zeroizing::new(line.trim_ascii().to_vec()))
}
