//! Who is signed in. The browser holds a random token; the server knows its digest, for an hour and until it restarts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, header};
use ident::{ApiKeyId, Secret};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use crate::keyring::{Keyring, mint};

const LASTS: Duration = Duration::from_secs(3600);
/// In all, and of one API key; of more, the key's own oldest ends.
const MOST: usize = 1024;
const MOST_EACH: usize = 16;

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Session {
    /// The API key that was exchanged.
    pub credential: ApiKeyId,
    /// What every form of this session carries.
    pub csrf: Secret<String>,
    until: Instant,
}

impl Session {
    /// Whether a form is one of this session.
    pub fn wrote(&self, csrf: &str) -> bool {
        bool::from(self.csrf.expose().as_bytes().ct_eq(csrf.as_bytes()))
    }
}

/// Everybody who is signed in.
#[derive(Debug)]
pub struct Sessions {
    keyring: Arc<Keyring>,
    by_digest: Mutex<HashMap<[u8; 32], Session>>,
}

impl Sessions {
    /// Nobody is.
    pub fn new(keyring: Arc<Keyring>) -> Self {
        Self { keyring, by_digest: Mutex::default() }
    }

    /// Signs in; the cookie is for the browser. None when too many are.
    pub fn begin(&self, credential: ApiKeyId, secure: bool) -> Option<HeaderValue> {
        let (token, until) = (mint(), Instant::now() + LASTS);
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.until > Instant::now());
        let own = || sessions.iter().filter(|(_, session)| session.credential == credential);
        if own().count() >= MOST_EACH
            && let Some(oldest) = own().min_by_key(|(_, session)| session.until).map(|(digest, _)| *digest)
        {
            sessions.remove(&oldest);
        }
        if sessions.len() >= MOST {
            return None;
        }
        sessions.insert(self.digest(&token), Session { credential, csrf: mint(), until });
        cookie(token.expose(), secure, LASTS.as_secs())
    }

    /// Who sent these headers.
    pub fn of(&self, headers: &HeaderMap, secure: bool) -> Option<Session> {
        let digest = self.digest(&token(headers, secure)?);
        self.lock().get(&digest).filter(|session| session.until > Instant::now()).cloned()
    }

    /// Signs out; the cookie takes the browser's away.
    pub fn end(&self, headers: &HeaderMap, secure: bool) -> Option<HeaderValue> {
        if let Some(token) = token(headers, secure) {
            let digest = self.digest(&token);
            self.lock().remove(&digest);
        }
        cookie("", secure, 0)
    }

    fn digest(&self, token: &Secret<String>) -> [u8; 32] {
        self.keyring.verifier(token).digest
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.by_digest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// With the prefix, browsers take it over an encrypted way and for this very host only.
fn name(secure: bool) -> &'static str {
    if secure { "__Host-meshctl" } else { "meshctl" }
}

fn cookie(token: &str, secure: bool, seconds: u64) -> Option<HeaderValue> {
    let only = if secure { "; Secure" } else { "" };
    let text = format!("{}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{only}", name(secure));
    HeaderValue::from_str(&text).ok().map(|mut value| {
        value.set_sensitive(true);
        value
    })
}

fn token(headers: &HeaderMap, secure: bool) -> Option<Secret<String>> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, token) = pairs.find(|(known, token)| *known == name(secure) && token.len() == 43)?;
    Some(Secret::new(token.to_owned()))
}
