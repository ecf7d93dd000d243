//! `vault.matches-server`: vault, deployed key and server agree.

use crate::Verdict;

/// What is known of the key in the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// No vault was named.
    None,
    /// It could not be opened: why.
    Closed(String),
    /// It was opened.
    Opened {
        /// `vault.yml: vault_headplane_api_key`.
        holder: String,
        /// The key with its secret left out.
        masked: String,
        /// Whether the server takes it; why not; nothing when nobody could say.
        works: Option<Result<(), String>>,
        /// Deployed files, and whether they hold the same; why they could not be read.
        deployed: Vec<(String, Result<Deployed, String>)>,
    },
}

/// A key that a consumer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deployed {
    /// The one in the vault.
    Same,
    /// Another one, and whether the server takes that; nothing when nobody could say.
    Other(Option<bool>),
}

/// Whether the next deployment would bring a key that works, and this one did.
pub fn matches_server(stored: &Stored) -> Verdict {
    match stored {
        Stored::None => Verdict::skip("no vault was named: --vault FILE --var NAME"),
        Stored::Closed(why) => Verdict::unknown(format!("the vault cannot be opened: {why}"))
            .fix("name its key: --vault-password-file FILE or --age-identity FILE"),
        Stored::Opened { holder, masked, works, deployed } => {
            let verdict = in_vault(holder, masked, works.as_ref());
            deployed.iter().fold(verdict, |verdict, (file, found)| {
                verdict.and(in_place(holder, file, found, works.as_ref().map(Result::is_ok)))
            })
        }
    }
}

fn in_vault(holder: &str, masked: &str, works: Option<&Result<(), String>>) -> Verdict {
    let rotate = "meshctl secret rotate headplane-api-key --file VAULT --var NAME --deploy 'ansible-playbook site.yml -t config'";
    let (verdict, said) = match works {
        Some(Ok(())) => (Verdict::pass(format!("{masked} in {holder} is known to the server")), "it works"),
        Some(Err(why)) => {
            (Verdict::fail(format!("{masked} in {holder} opens nothing: {why}")).fix(rotate), why.as_str())
        }
        None => (Verdict::unknown(format!("nobody can say whether {masked} in {holder} works")), "no answer"),
    };
    verdict.seen(format!("whether {masked} opens the admin API"), "the server", said)
}

fn in_place(holder: &str, file: &str, found: &Result<Deployed, String>, works: Option<bool>) -> Verdict {
    let deploy = "ansible-playbook site.yml -t config";
    let (verdict, said) = match (found, works) {
        (Ok(Deployed::Same), _) => (Verdict::pass(format!("{file} holds the key of the vault")), "the same"),
        (Ok(Deployed::Other(Some(true))), Some(false)) => (
            Verdict::fail(format!(
                "{file} works with another key than {holder} holds: the next deployment breaks it"
            ))
            .fix(format!("meshctl secret set --file VAULT --var NAME --value-file {file}")),
            "another one, which works",
        ),
        (Ok(Deployed::Other(_)), _) => {
            (Verdict::fail(format!("{file} holds another key than {holder}")).fix(deploy), "another one")
        }
        (Err(why), _) => (Verdict::unknown(format!("{file} cannot be read: {why}")), why.as_str()),
    };
    verdict.seen("whether it is the key of the vault", file, said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn judged(works: Option<Result<(), String>>, deployed: Result<Deployed, String>) -> State {
        let deployed = vec![("api.key".to_owned(), deployed)];
        let (holder, masked) = ("vault.yml: key".to_owned(), "mk-api-1-…".to_owned());
        matches_server(&Stored::Opened { holder, masked, works, deployed }).state()
    }

    #[test]
    fn vault_deployed_and_server_agree_or_it_fails() {
        let dead = || Some(Err("unknown".to_owned()));
        assert_eq!(judged(Some(Ok(())), Ok(Deployed::Same)), State::Pass);
        assert_eq!(judged(dead(), Ok(Deployed::Same)), State::Fail);
        assert_eq!(judged(dead(), Ok(Deployed::Other(Some(true)))), State::Fail);
        assert_eq!(judged(Some(Ok(())), Ok(Deployed::Other(None))), State::Fail);
        assert_eq!(judged(None, Ok(Deployed::Same)), State::Unknown);
        assert_eq!(judged(Some(Ok(())), Err("no such file".into())), State::Unknown);
    }

    #[test]
    fn a_closed_vault_is_unknown_and_none_is_skipped() {
        assert_eq!(matches_server(&Stored::Closed("wrong password".into())).state(), State::Unknown);
        assert_eq!(matches_server(&Stored::None).state(), State::Skip);
    }
}
