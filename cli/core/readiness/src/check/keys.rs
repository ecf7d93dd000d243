//! `apikey.live`, `keys.expiring`, `keys.untagged-refused`, `keys.usable` and `policy.no-legacy-keys`.

mod credential;
mod legacy;

use jiff::Timestamp;

use crate::Verdict;

pub use credential::{Answer, Credential, live};
pub use legacy::{Grant, legacy};

/// Something that opens or lets in until a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// `API key 3`, `key 4 (role server)`, `device web-1`.
    pub what: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// What replaces it.
    pub renew: String,
}

const DAY: i64 = 86_400;
const SOON_DAYS: i64 = 14;
/// What lives shorter than this is meant to end.
const LASTING_DAYS: i64 = 30;

/// Whether something that is meant to last ends soon. `keys` are those that are still good.
pub fn expiring(keys: &[Key], now: Timestamp) -> Verdict {
    let each = keys.iter().filter(|key| lasts(key)).filter_map(|key| {
        let left = key.expires.as_second() - now.as_second();
        let days = left.div_euclid(DAY);
        (days < SOON_DAYS)
            .then(|| Verdict::warn(format!("{} expires in {} days", key.what, days.max(0))).fix(&key.renew))
    });
    let asked = |verdict: Verdict| {
        verdict.seen(
            "API keys, pre-auth keys and devices that expire",
            "the server",
            format!("{} of them", keys.len()),
        )
    };
    asked(Verdict::all(each, || {
        Verdict::pass(format!("nothing that is meant to last ends within {SOON_DAYS} days"))
    }))
}

fn lasts(key: &Key) -> bool {
    key.expires.as_second() - key.created.as_second() >= LASTING_DAYS * DAY
}

/// Whether every key has a role, as far as the server's configuration goes.
pub fn untagged(allowed: bool) -> Verdict {
    let verdict = if allowed {
        Verdict::fail("the server makes and takes keys without tags: what they let in is a person's, with all their rights")
            .fix("remove keys.allow_untagged from the server's configuration, then meshctl server reload")
    } else {
        Verdict::pass("the server makes and takes no key without tags")
    };
    verdict.seen("keys.allow_untagged", "the server", allowed.to_string())
}

/// Whether a device could join: names of the keys that would let one in with tags.
pub fn usable(keys: &[String]) -> Verdict {
    let verdict = match keys {
        [] => Verdict::fail("no pre-auth key would let a device in")
            .fix("meshctl key create --role ROLE --out FILE"),
        [one] => Verdict::pass(format!("{one} would let a device in")),
        [first, rest @ ..] => Verdict::pass(format!("{first} and {} more would let a device in", rest.len())),
    };
    verdict.seen("pre-auth keys that are good", "the server", keys.len().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn at(days: i64) -> Timestamp {
        Timestamp::from_second(days * DAY).unwrap()
    }
    fn key(created: i64, expires: i64) -> Key {
        let renew = "meshctl apikey create --out FILE".into();
        Key { what: "API key 1".into(), created: at(created), expires: at(expires), renew }
    }

    #[test]
    fn what_is_meant_to_last_is_mentioned_before_it_ends() {
        assert_eq!(expiring(&[key(0, 90)], at(10)).state(), State::Pass);
        let late = expiring(&[key(0, 90)], at(80));
        assert_eq!((late.state(), late.summary().as_str()), (State::Warn, "API key 1 expires in 10 days"));
        assert_eq!(expiring(&[key(79, 80)], at(79)).state(), State::Pass, "a key of a day is meant to end");
        assert_eq!(expiring(&[], at(0)).state(), State::Pass);
    }

    #[test]
    fn keys_without_tags_are_not_to_be_allowed() {
        assert_eq!((untagged(true).state(), untagged(false).state()), (State::Fail, State::Pass));
    }

    #[test]
    fn a_device_needs_a_key() {
        assert_eq!(usable(&[]).state(), State::Fail);
        assert_eq!(
            usable(&["key 1".into(), "key 2".into()]).summary(),
            "key 1 and 1 more would let a device in"
        );
    }
}
