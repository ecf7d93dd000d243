//! API keys where they are held, and what the server says of each.

use api::{
    apikey::VERIFY,
    key::{Plaintext, Verify},
};
use ident::Secret;
use readiness::check::keys::{Answer, Credential};

use crate::{
    check::facts::Facts,
    talk::{Failure, Way, read_secret},
};

/// A key that somebody holds.
#[derive(Clone)]
pub struct Held {
    /// Who, for people.
    pub holder: String,
    /// The key, or why it cannot be read.
    pub secret: Result<Secret<String>, String>,
}

/// The key of whoever runs this, when the server is reached with one.
pub async fn of_target(facts: &Facts<'_>) -> Vec<Held> {
    let _ = facts.answer().await;
    match facts.context.target().map(|target| &target.way) {
        Some(Way::Url { api_key_file, .. }) if api_key_file.as_os_str() != "-" => vec![read(api_key_file)],
        _ => Vec::new(),
    }
}

/// The keys of consumers.
pub fn of_files(facts: &Facts<'_>) -> Vec<Held> {
    facts.inputs.deployed_key.iter().map(|file| read(file)).collect()
}

/// The key in the vault, if one was named.
pub fn in_vault(facts: &Facts<'_>) -> Option<Held> {
    let file = facts.inputs.vault.as_ref()?;
    let var = facts.inputs.var.as_deref();
    let holder = var.map_or_else(|| file.display().to_string(), |var| format!("{}: {var}", file.display()));
    let secret = crate::secret::peek(facts.context, file, var, &facts.inputs.keys).map_err(|e| e.detail);
    Some(Held { holder, secret })
}

/// What the server says of a key; asked with the operator's own credential, or else with the key itself.
pub async fn asked(facts: &Facts<'_>, held: Held) -> Credential {
    let Held { holder, secret } = held;
    let secret = match secret {
        Ok(secret) => secret,
        Err(why) => return Credential { holder, masked: None, answer: Answer::Unreadable(why) },
    };
    let masked = masked(secret.expose());
    let verify = Verify { secret: Plaintext::new(secret.expose().clone()) };
    let verdict = match facts.context.read(&VERIFY, &[], &verify).await {
        Err(e) if e.code == api::code::UNAUTHORIZED => {
            facts.context.read_as(&VERIFY, &[], &verify, secret).await
        }
        other => other,
    };
    let answer = match verdict {
        Ok(verdict) => match (verdict.works, verdict.apikey) {
            (true, Some(key)) => Answer::Works(key.expires),
            (true, None) => Answer::Nobody("the server says that it works and does not know it".into()),
            (false, _) if masked.is_none() => {
                Answer::Dead("the server mints its keys itself, mk-api-…, and takes no others".into())
            }
            (false, _) => {
                Answer::Dead(verdict.reason.unwrap_or_else(|| "the server does not know it".into()))
            }
        },
        Err(e) => refused(&e),
    };
    Credential { holder, masked, answer }
}

fn refused(e: &Failure) -> Answer {
    match e.code.as_str() {
        api::code::UNAUTHORIZED => Answer::Dead(e.detail.clone()),
        _ => Answer::Nobody(e.detail.clone()),
    }
}

fn read(file: &std::path::Path) -> Held {
    Held { holder: file.display().to_string(), secret: read_secret(file).map_err(|e| e.detail) }
}

/// Prefix and number; nothing of the secret.
fn masked(key: &str) -> Option<String> {
    let id = key.strip_prefix("mk-api-")?.split('-').next()?;
    (!id.is_empty() && id.bytes().all(|b| b.is_ascii_digit())).then(|| format!("mk-api-{id}-…"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_secret_is_shown() {
        assert_eq!(masked("mk-api-12-abcdef").as_deref(), Some("mk-api-12-…"));
        for foreign in ["", "mk-api-", "mk-api-x-y", "dGhpcyBpcyBub3Qga2V5"] {
            assert_eq!(masked(foreign), None);
        }
    }
}
