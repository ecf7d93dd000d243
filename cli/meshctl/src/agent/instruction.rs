//! An operator's word to machines whose mesh is gone: signed, for some of them, for some time.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use ident::Secret;
use jiff::Timestamp;
use readiness::check::agent::recovery::Order;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

const PRIVATE: &str = "mk-operator-secret-";
const PUBLIC: &str = "mk-operator-";
/// Sets signatures for this apart from any other use of the key.
const PURPOSE: &[u8] = b"meshctl recovery instruction 1\n";

/// The public half of an operator's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorKey([u8; 32]);

/// The private half, which signs.
pub struct Signer(Ed25519KeyPair);

/// What an instruction says. It holds a key that lets machines in, so the file is a secret.
#[derive(Debug)]
pub struct Instruction {
    /// Tells it from others.
    pub id: String,
    /// What it is about.
    pub order: Order,
    /// Lets the machine in.
    pub auth_key: Secret<String>,
}

/// As it is signed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    id: String,
    server_url: String,
    public_key: String,
    database: String,
    nodes: Vec<String>,
    not_before: Timestamp,
    expires: Timestamp,
    auth_key: String,
}

impl Drop for Words {
    fn drop(&mut self) {
        self.auth_key.zeroize();
    }
}

/// As it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    instruction: String,
    signature: String,
}

impl OperatorKey {
    /// `None` when the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix(PUBLIC)?;
        Some(Self(BASE64.decode(digits).ok()?.try_into().ok()?))
    }
    /// As it stands in the configuration of agents.
    pub fn text(&self) -> String {
        format!("{PUBLIC}{}", BASE64.encode(self.0))
    }
    /// The instruction in a file, if this operator has signed it. All mistakes are one: it is not to be obeyed.
    pub fn open(&self, text: &str) -> Result<Instruction, String> {
        let envelope: Envelope =
            serde_json::from_str(text).map_err(|_| "the file holds no instruction".to_owned())?;
        let read = |text: &str| BASE64.decode(text).map_err(|_| "the instruction is damaged".to_owned());
        let (words, signature) = (Secret::new(read(&envelope.instruction)?), read(&envelope.signature)?);
        let message = Secret::new([PURPOSE, words.expose().as_slice()].concat());
        UnparsedPublicKey::new(&ED25519, self.0)
            .verify(message.expose(), &signature)
            .map_err(|_| "the instruction is not signed by the operator of this machine".to_owned())?;
        let mut words: Words = serde_json::from_slice(words.expose())
            .map_err(|_| "the instruction is of another version of meshctl".to_owned())?;
        let order = Order {
            server_url: words.server_url.clone(),
            public_key: words.public_key.clone(),
            database: words.database.clone(),
            nodes: words.nodes.clone(),
            not_before: words.not_before,
            expires: words.expires,
        };
        let auth_key = Secret::new(std::mem::take(&mut words.auth_key));
        Ok(Instruction { id: words.id.clone(), order, auth_key })
    }
}

impl Signer {
    /// A new one with its text.
    pub fn make() -> Result<(Self, Secret<String>), String> {
        let mut seed = [0u8; 32];
        getrandom::fill(&mut seed).map_err(|e| format!("no random bytes: {e}"))?;
        let seed = Secret::new(seed);
        let text = Secret::new(format!("{PRIVATE}{}", BASE64.encode(seed.expose())));
        Ok((Self::of(seed.expose())?, text))
    }
    /// The one with this text.
    pub fn parse(text: &Secret<String>) -> Result<Self, String> {
        let wrong =
            || "this is no operator's key: `meshctl agent operator-key --out FILE` makes one".to_owned();
        let digits = text.expose().trim().strip_prefix(PRIVATE).ok_or_else(wrong)?;
        let seed = Secret::new(BASE64.decode(digits).map_err(|_| wrong())?);
        Self::of(seed.expose())
    }
    fn of(seed: &[u8]) -> Result<Self, String> {
        Ed25519KeyPair::from_seed_unchecked(seed)
            .map(Self)
            .map_err(|_| "this is no operator's key".to_owned())
    }
    /// What agents are configured with.
    pub fn public(&self) -> Result<OperatorKey, String> {
        let bytes = self.0.public_key().as_ref().try_into().map_err(|_| "an odd key".to_owned())?;
        Ok(OperatorKey(bytes))
    }
    /// The text of a file.
    pub fn seal(&self, instruction: &Instruction) -> Result<Secret<String>, String> {
        let Instruction { id, order, auth_key } = instruction;
        let words = Words {
            id: id.clone(),
            server_url: order.server_url.clone(),
            public_key: order.public_key.clone(),
            database: order.database.clone(),
            nodes: order.nodes.clone(),
            not_before: order.not_before,
            expires: order.expires,
            auth_key: auth_key.expose().clone(),
        };
        let json = Secret::new(serde_json::to_vec(&words).map_err(|e| e.to_string())?);
        let message = Secret::new([PURPOSE, json.expose().as_slice()].concat());
        let signature = BASE64.encode(self.0.sign(message.expose()));
        let envelope = Envelope { instruction: BASE64.encode(json.expose()), signature };
        serde_json::to_string(&envelope).map(Secret::new).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instruction() -> Instruction {
        let order = Order {
            server_url: "https://mesh.example.com".into(),
            public_key: "mkey:a".into(),
            database: "new".into(),
            nodes: vec!["web".into()],
            not_before: Timestamp::UNIX_EPOCH,
            expires: Timestamp::UNIX_EPOCH,
        };
        Instruction { id: "1".into(), order, auth_key: Secret::new("mk-auth-1-x".into()) }
    }

    #[test]
    fn what_the_operator_signs_is_read_and_nothing_else_is() {
        let (signer, secret) = Signer::make().unwrap();
        let public = OperatorKey::parse(&signer.public().unwrap().text()).unwrap();
        let text = Signer::parse(&secret).unwrap().seal(&instruction()).unwrap();
        let read = public.open(text.expose()).unwrap();
        assert_eq!((read.order, read.auth_key.expose().as_str()), (instruction().order, "mk-auth-1-x"));
        let (other, _) = Signer::make().unwrap();
        let forged = other.seal(&instruction()).unwrap();
        assert!(public.open(forged.expose()).unwrap_err().contains("not signed"));
        let whole: serde_json::Value = serde_json::from_str(text.expose()).unwrap();
        for (member, value) in [("instruction", "e30"), ("signature", ""), ("signature", "AAAA")] {
            let mut bent = whole.clone();
            bent[member] = value.into();
            assert!(public.open(&bent.to_string()).is_err(), "{member}");
        }
        for text in ["", "{}", "null", "[]"] {
            assert!(public.open(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_private_key_is_no_public_one() {
        let (_, secret) = Signer::make().unwrap();
        assert_eq!(OperatorKey::parse(secret.expose()), None);
        assert_eq!(OperatorKey::parse("mk-operator-AAAA"), None);
        assert!(Signer::parse(&Secret::new("mk-operator-secret-x".into())).is_err());
        assert!(Signer::parse(&Secret::new("x".into())).is_err());
    }
}
