//! `apikey.live`: what became of a key that somebody holds.

use jiff::Timestamp;

use crate::Verdict;

/// An API key and what the server says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Where it is held: a file, a vault and its variable.
    pub holder: String,
    /// Its text with the secret left out; nothing when it has not the form of one.
    pub masked: Option<String>,
    /// What came of it.
    pub answer: Answer,
}

/// What came of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It opens until then.
    Works(Timestamp),
    /// It does not: why.
    Dead(String),
    /// It could not be read where it is held: why.
    Unreadable(String),
    /// Nobody could be asked: why.
    Nobody(String),
}

const DAY: i64 = 86_400;
const SOON_DAYS: i64 = 14;

/// Whether the keys that consumers hold open the admin API.
pub fn live(credentials: &[Credential], now: Timestamp) -> Verdict {
    let each = credentials.iter().map(|c| one(c, now));
    Verdict::all(each, || {
        Verdict::skip(
            "no API key was named: --deployed-key FILE, or --vault FILE --var NAME, or --api-key-file FILE",
        )
    })
}

fn one(credential: &Credential, now: Timestamp) -> Verdict {
    let Credential { holder, masked, answer } = credential;
    let key = masked.as_deref().unwrap_or("the key");
    let renew = "meshctl secret rotate headplane-api-key --file VAULT --var vault_headplane_api_key --deploy 'ansible-playbook …'";
    let (verdict, said) = match answer {
        Answer::Works(until) => {
            let days = (until.as_second() - now.as_second()).div_euclid(DAY);
            let verdict = if days < SOON_DAYS {
                Verdict::warn(format!("{key} in {holder} works, and ends in {} days", days.max(0))).fix(renew)
            } else {
                Verdict::pass(format!("{key} in {holder} works, for {days} days"))
            };
            (verdict, format!("it works until {until}"))
        }
        Answer::Dead(why) if masked.is_none() => (
            Verdict::fail(format!("what {holder} holds is no API key of this server: {why}")).fix(renew),
            why.clone(),
        ),
        Answer::Dead(why) => {
            (Verdict::fail(format!("{key} in {holder} opens nothing: {why}")).fix(renew), why.clone())
        }
        Answer::Unreadable(why) => (Verdict::unknown(format!("{holder} cannot be read: {why}")), why.clone()),
        Answer::Nobody(why) => {
            (Verdict::unknown(format!("nobody can say whether {key} in {holder} works: {why}")), why.clone())
        }
    };
    verdict.seen(format!("whether {key} opens the admin API"), "the server", said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn state(masked: Option<&str>, answer: Answer) -> State {
        let credential = Credential { holder: "api.key".into(), masked: masked.map(Into::into), answer };
        live(&[credential], Timestamp::UNIX_EPOCH).state()
    }

    #[test]
    fn a_key_works_or_it_does_not_or_nobody_knows() {
        let until = |days: i64| Answer::Works(Timestamp::from_second(days * DAY).unwrap());
        assert_eq!(state(Some("mk-api-1-…"), until(90)), State::Pass);
        assert_eq!(state(Some("mk-api-1-…"), until(13)), State::Warn);
        assert_eq!(state(Some("mk-api-1-…"), Answer::Dead("it is not known".into())), State::Fail);
        assert_eq!(state(None, Answer::Dead("the server mints its keys".into())), State::Fail);
        assert_eq!(state(None, Answer::Unreadable("no such file".into())), State::Unknown);
        assert_eq!(state(Some("mk-api-1-…"), Answer::Nobody("refused".into())), State::Unknown);
        assert_eq!(live(&[], Timestamp::UNIX_EPOCH).state(), State::Skip);
    }
}
