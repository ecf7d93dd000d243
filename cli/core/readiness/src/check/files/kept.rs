//! `backup.restorable`: what the receipts of backups say.

use jiff::Timestamp;

use crate::Verdict;

/// What was changed since is lost: more than two days of it is worth a word, more than a week is no backup.
const WARN_HOURS: i64 = 48;
const FAIL_HOURS: i64 = 7 * 24;

/// A backup by its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its file, as it was found.
    pub file: String,
    /// Whether the file is byte for byte the one that the receipt was written for; `None` when it was not read.
    pub is_the_same: Option<bool>,
    /// The moment that it is as of.
    pub made: Timestamp,
    /// Which database it is of.
    pub database: String,
    /// When it was last decrypted and opened.
    pub verified: Option<Timestamp>,
}

/// The backups of a folder, the oldest first; the database that is in use, where that is known.
pub fn restorable(folder: &str, backups: &[Backup], live: Option<&str>, now: Timestamp) -> Verdict {
    let create = format!("meshctl backup create --to {folder} --recipient age1… --age-identity FILE");
    let ours = || backups.iter().rev().filter(|b| live.is_none_or(|live| b.database == live));
    let Some(newest) = ours().next() else {
        let of = if backups.is_empty() {
            "holds no backup with a receipt"
        } else {
            "holds backups of other databases only"
        };
        return Verdict::fail(format!("{folder} {of}")).fix(create);
    };
    let Some(tried) = ours().find(|b| b.verified.is_some()) else {
        return Verdict::fail(format!("no backup in {folder} was ever decrypted and opened"))
            .fix(format!("meshctl backup verify {} --age-identity FILE", newest.file))
            .seen("the newest backup", &newest.file, format!("as of {}, never verified", newest.made));
    };
    let hours = (now.as_second() - tried.made.as_second()) / 3600;
    let verdict = match (tried.is_the_same, hours) {
        (Some(false), _) => {
            Verdict::fail(format!("{} was changed after it was made", tried.file)).fix(create)
        }
        (None, _) => Verdict::unknown(format!("{} could not be read", tried.file)),
        (_, h) if h > FAIL_HOURS => {
            Verdict::fail(format!("the newest backup that was verified is {} days old", h / 24)).fix(create)
        }
        (_, h) if h > WARN_HOURS => {
            Verdict::warn(format!("the newest backup that was verified is {h} hours old")).fix(create)
        }
        (_, h) => Verdict::pass(format!("a backup that is {h} hours old was decrypted and opened")),
    };
    let said = tried.verified.map_or_else(String::new, |at| format!("as of {}, verified {at}", tried.made));
    verdict.seen("the receipt of the newest that was verified", &tried.file, said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hour * 3600).unwrap()
    }
    fn backup(hour: i64, verified: bool) -> Backup {
        Backup {
            file: format!("b/{hour}"),
            is_the_same: Some(true),
            made: at(hour),
            database: "d".into(),
            verified: verified.then(|| at(hour)),
        }
    }
    fn state(backups: &[Backup], live: Option<&str>) -> State {
        restorable("b", backups, live, at(1000)).state()
    }

    #[test]
    fn only_a_fresh_backup_of_this_database_that_was_opened_and_not_touched_passes() {
        assert_eq!(state(&[], None), State::Fail);
        assert_eq!(state(&[backup(999, false)], None), State::Fail);
        assert_eq!(state(&[backup(999, true)], None), State::Pass);
        assert_eq!(state(&[backup(998, true), backup(999, false)], Some("d")), State::Pass);
        assert_eq!(state(&[backup(999, true)], Some("other")), State::Fail);
        assert_eq!(state(&[backup(940, true)], None), State::Warn);
        assert_eq!(state(&[backup(700, true)], None), State::Fail);
        let with = |is_the_same| Backup { is_the_same, ..backup(999, true) };
        assert_eq!(state(&[with(Some(false))], None), State::Fail);
        assert_eq!(state(&[with(None)], None), State::Unknown);
    }
}
