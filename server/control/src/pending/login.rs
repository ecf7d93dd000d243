//! A device that waits, and what its login is called.

use std::{fmt, net::IpAddr, sync::Arc};

use ident::{MachineKey, NodeKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wire::Hostinfo;
use world::Registration;

use crate::keyring::random;

const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// As long as headscale's, whose tools look at that.
const LENGTH: usize = 24;
/// What those tools write before a code.
const BEFORE: &str = "hskey-authreq-";

/// What a login is called: 120 random bits. Whoever knows it may look at the device and let it in if they may that at
/// all; it is no credential.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Code(String);

impl Code {
    pub(super) fn mint() -> Self {
        let bytes = random();
        let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
        Self(bytes.expose().iter().take(LENGTH).map(letter).collect())
    }

    /// The code alone, as headscale's tools write it, or a page's URL that ends in it; none for what no code looks like.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches('/');
        let last = text.rsplit('/').next()?.to_ascii_lowercase();
        let code = last.strip_prefix(BEFORE).unwrap_or(&last);
        let fits =
            code.len() == LENGTH && code.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        fits.then(|| Self(code.to_owned()))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A device that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// What it is called.
    pub code: Code,
    /// The machine, proved by its Noise handshake.
    pub machine: MachineKey,
    /// The key that is to be let in.
    pub node_key: NodeKey,
    /// The key before.
    pub old_node_key: Option<NodeKey>,
    /// What the device says of itself, as far as people need it to decide.
    pub hostinfo: Arc<Hostinfo>,
    /// Whether it asks to be forgotten when it goes away.
    pub ephemeral: bool,
    /// An earlier expiry that it asks for.
    pub expiry: Option<Timestamp>,
    /// Capability version.
    pub capver: u32,
    /// Where it came from.
    pub source: IpAddr,
    /// When it came.
    pub asked: Timestamp,
    /// How long it is waited for.
    pub expires: Timestamp,
    /// Whether somebody has refused it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub denied: bool,
}

impl Login {
    pub(super) fn new(r: &Registration, source: IpAddr, asked: Timestamp, expires: Timestamp) -> Self {
        Self {
            code: Code::mint(),
            machine: r.machine,
            node_key: r.node_key,
            old_node_key: r.old_node_key,
            hostinfo: Arc::new(shortened(&r.hostinfo)),
            ephemeral: r.ephemeral,
            expiry: r.expiry,
            capver: r.capver,
            source: source.to_canonical(),
            asked,
            expires,
            denied: false,
        }
    }

    /// A device that nobody has, for those who try their tools: its keys open nothing, for nobody has their other half.
    pub(super) fn invented(
        code: Code,
        hostinfo: Hostinfo,
        source: IpAddr,
        asked: Timestamp,
        expires: Timestamp,
    ) -> Option<Self> {
        Some(Self {
            code,
            machine: MachineKey::from_bytes(*random().expose()).ok()?,
            node_key: NodeKey::from_bytes(*random().expose()).ok()?,
            old_node_key: None,
            hostinfo: Arc::new(hostinfo),
            ephemeral: false,
            expiry: None,
            capver: 0,
            source,
            asked,
            expires,
            denied: false,
        })
    }

    /// The registration that is let in.
    pub fn registration(&self) -> Registration {
        Registration {
            machine: self.machine,
            node_key: self.node_key,
            old_node_key: self.old_node_key,
            proof: None,
            hostinfo: self.hostinfo.clone(),
            ephemeral: self.ephemeral,
            expiry: self.expiry,
            capver: self.capver,
        }
    }
}

/// Everything else comes with the first report of a device that is in.
fn shortened(hostinfo: &Hostinfo) -> Hostinfo {
    Hostinfo {
        ipn_version: hostinfo.ipn_version.clone(),
        os: hostinfo.os.clone(),
        os_version: hostinfo.os_version.clone(),
        hostname: hostinfo.hostname.clone(),
        request_tags: hostinfo.request_tags.clone(),
        ..Hostinfo::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_in_a_url_and_nothing_else_is_one() {
        let code = Code::mint();
        assert_ne!(code, Code::mint());
        for text in [format!("{code}"), format!(" https://mesh.example.com/register/{code}/\n")] {
            assert_eq!(Code::parse(&text), Some(code.clone()));
        }
        assert_eq!(Code::parse(&code.to_string().to_uppercase()), Some(code.clone()));
        assert_eq!(Code::parse(&format!("hskey-authreq-{code}")), Some(code.clone()));
        assert_eq!(Code::parse(&format!("hskey-authreq-{}", "Ab_-".repeat(6))).unwrap().0, "ab_-".repeat(6));
        for text in [
            "",
            "/",
            "short",
            &format!("{code}x"),
            &"ö".repeat(12),
            &".".repeat(24),
            "hskey-authreq-0123456789",
        ] {
            assert_eq!(Code::parse(text), None, "{text}");
        }
    }
}
