//! `files.non-empty`: a file holds what it should, and nobody else reads what is secret.

mod content;
mod kept;

use jiff::Timestamp;

use crate::Verdict;

pub use content::Kind;
pub use kept::{Backup, restorable};

/// A file that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// As it was named.
    pub path: String,
    /// What it should be.
    pub kind: Kind,
    /// What is there; why nothing could be seen.
    pub found: Found,
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A plain file: its permissions, its length, and its first bytes, at most [`Seen::HEAD`].
    File { mode: u32, length: u64, head: Vec<u8> },
    /// Nothing.
    Missing,
    /// Something else: a folder, a device.
    Other(String),
    /// It cannot be read: why.
    Unreadable(String),
}

impl Seen {
    /// So much of a file is looked at.
    pub const HEAD: usize = 1 << 20;
}

/// Files, and findings in playbooks about tests of existence.
pub fn non_empty(files: &[Seen], texts: Verdict, now: Timestamp) -> Verdict {
    let each = files.iter().map(|file| one(file, now));
    let files = each.reduce(Verdict::and).unwrap_or_default();
    let verdict = files.and(texts);
    if verdict.findings.is_empty() {
        return Verdict::skip("no file was named: --data-dir DIR, --file PATH, --playbooks DIR").and(verdict);
    }
    verdict
}

fn one(file: &Seen, now: Timestamp) -> Verdict {
    let Seen { path, kind, found } = file;
    let (verdict, said) = match found {
        Found::Missing => {
            (Verdict::fail(format!("{path} is not there")).fix(kind.remedy(path)), "no such file".to_owned())
        }
        Found::Other(what) => (Verdict::fail(format!("{path} is {what}, not a plain file")), what.clone()),
        Found::Unreadable(why) => (
            Verdict::unknown(format!("{path} cannot be read: {why}"))
                .fix("run it as the file's owner or as root"),
            why.clone(),
        ),
        Found::File { length: 0, .. } => {
            (Verdict::fail(format!("{path} is empty (0 bytes)")).fix(kind.remedy(path)), "0 bytes".to_owned())
        }
        Found::File { mode, length, head } => {
            (full(file, *mode, head, *length, now), format!("{length} bytes, mode {:o}", mode & 0o7777))
        }
    };
    verdict.seen(format!("{} in {path}", kind.word()), "the file system", said)
}

fn full(file: &Seen, mode: u32, head: &[u8], length: u64, now: Timestamp) -> Verdict {
    let Seen { path, kind, .. } = file;
    if let Err(why) = kind.parse(head, length, now) {
        return Verdict::fail(format!("{path} is no {}: {why}", kind.word())).fix(kind.remedy(path));
    }
    if kind.is_secret() && mode & 0o007 != 0 {
        return Verdict::fail(format!("{path} can be opened by everybody (mode {:o})", mode & 0o7777))
            .fix(format!("chmod o= {path}"));
    }
    if kind.is_secret() && mode & 0o020 != 0 {
        return Verdict::fail(format!("{path} can be replaced by its group (mode {:o})", mode & 0o7777))
            .fix(format!("chmod g-w {path}"));
    }
    Verdict::pass(format!("{path} is a {}", kind.word()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn judged(kind: Kind, found: Found) -> Verdict {
        let seen = Seen { path: "/x/y".into(), kind, found };
        non_empty(&[seen], Verdict::default(), Timestamp::UNIX_EPOCH)
    }
    fn file(mode: u32, text: &str) -> Found {
        Found::File { mode, length: text.len() as u64, head: text.as_bytes().to_vec() }
    }
    const AGENT: &str = "001 web any 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";

    #[test]
    fn an_empty_file_fails_whatever_it_should_be() {
        for kind in Kind::ALL {
            let verdict = judged(kind, file(0o600, ""));
            assert_eq!(verdict.state(), State::Fail);
            assert!(verdict.summary().contains("empty (0 bytes)"));
            assert!(verdict.worst().unwrap().fix.is_some());
        }
    }

    #[test]
    fn existence_content_and_mode_are_told_apart() {
        assert_eq!(judged(Kind::WazuhKeys, file(0o640, AGENT)).state(), State::Pass);
        assert_eq!(judged(Kind::WazuhKeys, Found::Missing).state(), State::Fail);
        assert_eq!(judged(Kind::WazuhKeys, Found::Other("a folder".into())).state(), State::Fail);
        assert_eq!(judged(Kind::WazuhKeys, Found::Unreadable("permission".into())).state(), State::Unknown);
        assert_eq!(judged(Kind::WazuhKeys, file(0o644, AGENT)).state(), State::Fail);
        assert_eq!(judged(Kind::WazuhKeys, file(0o660, AGENT)).state(), State::Fail);
        assert_eq!(judged(Kind::Any, file(0o644, "words")).state(), State::Pass);
    }

    #[test]
    fn nothing_to_look_at_is_no_pass() {
        assert_eq!(non_empty(&[], Verdict::default(), Timestamp::UNIX_EPOCH).state(), State::Skip);
        assert_eq!(non_empty(&[], Verdict::fail("site.yml"), Timestamp::UNIX_EPOCH).state(), State::Fail);
    }
}
