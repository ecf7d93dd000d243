//! Credentials as people carry them: `mk-auth-ID-SECRET`, `mk-api-ID-SECRET`. The secret is 256 random bits.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ident::Secret;

/// A credential as it was presented.
#[derive(Debug)]
pub struct Presented {
    /// Which one it claims to be.
    pub id: u64,
    /// What proves it.
    pub secret: Secret<String>,
}

/// A fresh secret, to be joined with its id once that is known.
pub fn mint() -> Secret<String> {
    Secret::new(URL_SAFE_NO_PAD.encode(super::random().expose()))
}

/// Takes a credential of this kind (`auth` or `api`) apart; `None` when it has another shape.
pub fn present(kind: &str, text: &Secret<String>) -> Option<Presented> {
    let rest = text.expose().trim().strip_prefix("mk-")?.strip_prefix(kind)?.strip_prefix('-')?;
    let (id, secret) = rest.split_once('-')?;
    if secret.len() != 43 {
        return None;
    }
    Some(Presented { id: id.parse().ok()?, secret: Secret::new(secret.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_minted_can_be_presented() {
        let secret = mint();
        let text = Secret::new(format!("mk-auth-17-{}", secret.expose()));
        let presented = present("auth", &text).unwrap();
        assert_eq!((presented.id, presented.secret.expose()), (17, secret.expose()));
        assert!(present("api", &text).is_none());
        for bad in ["", "mk-auth-", "mk-auth-x-abc", "mk-auth-1-short", "tskey-auth-1-2"] {
            assert!(present("auth", &Secret::new(bad.to_owned())).is_none(), "{bad}");
        }
    }
}
