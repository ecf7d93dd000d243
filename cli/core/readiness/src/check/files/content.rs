//! Kinds of files, and whether bytes are one.

use std::str::FromStr;

use jiff::Timestamp;
use x509_parser::pem::Pem;

/// What a file should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The server's private key: a prefix and 64 hex digits.
    NoiseKey,
    /// Another key of the server: a prefix and hex digits.
    ServerKey,
    /// An SQLite database.
    Database,
    /// An encrypted file: Ansible Vault, SOPS, age.
    Vault,
    /// The `client.keys` of a Wazuh agent.
    WazuhKeys,
    /// A PEM chain of certificates.
    Certificate,
    /// A PEM private key.
    PrivateKey,
    /// A token in one line.
    Token,
    /// Anything that is not blank.
    Any,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::NoiseKey,
        Self::ServerKey,
        Self::Database,
        Self::Vault,
        Self::WazuhKeys,
        Self::Certificate,
        Self::PrivateKey,
        Self::Token,
        Self::Any,
    ];

    /// What a file of this name should be.
    pub fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        match name.as_str() {
            "client.keys" => Self::WazuhKeys,
            "noise.key" | "noise-previous.key" | "noise_private.key" => Self::NoiseKey,
            _ if ends(&[".sqlite", ".sqlite3", ".db"]) => Self::Database,
            _ if ends(&[".crt", ".cer", "cert.pem", "fullchain.pem", "chain.pem"]) => Self::Certificate,
            _ if ends(&["privkey.pem", "key.pem"]) => Self::PrivateKey,
            _ if ends(&[".age", ".sops.yaml", ".sops.yml", ".sops.json", "vault.yml", "vault.yaml"]) => {
                Self::Vault
            }
            _ if ends(&["api.key", ".token", "api_key"]) => Self::Token,
            _ => Self::Any,
        }
    }
    /// The word for people and flags.
    pub fn word(self) -> &'static str {
        match self {
            Kind::NoiseKey => "noise-key",
            Kind::ServerKey => "server-key",
            Kind::Database => "database",
            Kind::Vault => "vault",
            Kind::WazuhKeys => "wazuh-keys",
            Kind::Certificate => "certificate",
            Kind::PrivateKey => "private-key",
            Kind::Token => "token",
            Kind::Any => "file",
        }
    }
    /// Whether nobody but its owner and group may open it.
    pub fn is_secret(self) -> bool {
        !matches!(self, Kind::Certificate | Kind::Vault | Kind::Any)
    }
    /// What brings it back.
    pub fn remedy(self, path: &str) -> String {
        match self {
            Kind::NoiseKey | Kind::ServerKey | Kind::Database => {
                "restore keys and database from the same backup".to_owned()
            }
            Kind::WazuhKeys => format!(
                "when: not keys.stat.exists or keys.stat.size == 0   # enrol again: rm {path}; agent-auth -m MANAGER"
            ),
            Kind::Certificate | Kind::PrivateKey => "issue the certificate anew".to_owned(),
            Kind::Token => format!("meshctl apikey create --out {path}"),
            Kind::Vault => format!("git checkout -- {path}"),
            Kind::Any => format!("test -s {path}   # exists and is not empty"),
        }
    }
    /// Whether these are the first bytes of one, of `length` in all.
    pub fn parse(self, head: &[u8], length: u64, now: Timestamp) -> Result<(), String> {
        match self {
            Kind::NoiseKey => key(head, Some(64)),
            Kind::ServerKey => key(head, None),
            Kind::Database => database(head, length),
            Kind::Vault => vault(head),
            Kind::WazuhKeys => wazuh(text(head)?),
            Kind::Certificate => certificates(head, now),
            Kind::PrivateKey => private_key(head),
            Kind::Token => token(text(head)?),
            Kind::Any if head.iter().all(u8::is_ascii_whitespace) => {
                Err("it holds nothing but blanks".to_owned())
            }
            Kind::Any => Ok(()),
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.word() == text).ok_or_else(|| {
            let words: Vec<_> = Self::ALL.iter().map(|kind| kind.word()).collect();
            format!("no kind of file is called `{text}`; there are: {}", words.join(", "))
        })
    }
}

fn text(head: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(head).map_err(|_| "it is no text".to_owned())
}

/// `prefix:hex`; the server's own files and headscale's are written so.
fn key(head: &[u8], digits: Option<usize>) -> Result<(), String> {
    let line = text(head)?.trim_end();
    let (_, hex) = line.rsplit_once(':').ok_or("no `prefix:` stands in front of the digits")?;
    let right = hex.len() >= 32 && hex.len().is_multiple_of(2) && digits.is_none_or(|n| hex.len() == n);
    if !right || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(format!("{} hex digits are expected behind the prefix", digits.unwrap_or(64)));
    }
    if hex.bytes().all(|b| b == b'0') {
        return Err("the key is zero".to_owned());
    }
    Ok(())
}

/// The header's own count of pages agrees with the length.
fn database(head: &[u8], length: u64) -> Result<(), String> {
    let Some(header) = head.first_chunk::<100>().filter(|h| h.starts_with(b"SQLite format 3\0")) else {
        return Err("it does not begin like an SQLite database".to_owned());
    };
    let page = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    let pages = u64::from(u32::from_be_bytes([header[28], header[29], header[30], header[31]]));
    if page < 512 || !page.is_power_of_two() {
        return Err("its header names an impossible page size".to_owned());
    }
    if length < pages * page {
        return Err(format!("it is cut off: {length} bytes of {}", pages * page));
    }
    Ok(())
}

fn vault(head: &[u8]) -> Result<(), String> {
    let marks: [&[u8]; 5] =
        [b"$ANSIBLE_VAULT;", b"ENC[AES256_GCM,", b"-----BEGIN AGE", b"age-encryption.org/v1", b"!vault"];
    let holds = |mark: &[u8]| head.windows(mark.len()).any(|w| w == mark);
    if marks.iter().any(|mark| holds(mark)) { Ok(()) } else { Err("nothing in it is encrypted".to_owned()) }
}

/// `ID NAME IP KEY`; a name with `!` in front is an agent that was removed.
fn wazuh(text: &str) -> Result<(), String> {
    let mut agents = 0;
    for (number, line) in
        text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#'))
    {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [id, name, _, key] = fields[..] else {
            return Err(format!("line {} has {} fields, not 4", number + 1, fields.len()));
        };
        if !id.bytes().all(|b| b.is_ascii_digit())
            || !key.bytes().all(|b| b.is_ascii_hexdigit())
            || key.len() < 32
        {
            return Err(format!("line {} is no `ID NAME IP KEY`", number + 1));
        }
        agents += usize::from(!name.starts_with('!'));
    }
    if agents == 0 { Err("it names no agent".to_owned()) } else { Ok(()) }
}

fn certificates(head: &[u8], now: Timestamp) -> Result<(), String> {
    let mut found = 0;
    for pem in Pem::iter_from_buffer(head) {
        let pem = pem.map_err(|e| format!("PEM: {e}"))?;
        if pem.label != "CERTIFICATE" {
            continue;
        }
        let certificate = pem.parse_x509().map_err(|e| format!("X.509: {e}"))?;
        if certificate.validity().not_after.timestamp() < now.as_second() {
            return Err("it has expired".to_owned());
        }
        found += 1;
    }
    if found == 0 { Err("there is no certificate in it".to_owned()) } else { Ok(()) }
}

fn private_key(head: &[u8]) -> Result<(), String> {
    for pem in Pem::iter_from_buffer(head) {
        let pem = pem.map_err(|e| format!("PEM: {e}"))?;
        if pem.label.ends_with("PRIVATE KEY") && pem.contents.len() > 16 {
            return Ok(());
        }
    }
    Err("there is no private key in it".to_owned())
}

fn token(text: &str) -> Result<(), String> {
    let line = text.trim();
    if line.is_empty() || line.contains(char::is_whitespace) {
        return Err("one word in one line is expected".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ok(kind: Kind, bytes: &[u8]) -> bool {
        kind.parse(bytes, bytes.len() as u64, Timestamp::UNIX_EPOCH).is_ok()
    }

    #[test]
    fn keys_are_a_prefix_and_digits() {
        let good = format!("privkey:{}\n", "1f".repeat(32));
        assert!(ok(Kind::NoiseKey, good.as_bytes()));
        for bad in ["", "\n", "privkey:", "1f1f", "privkey:zz"] {
            assert!(!ok(Kind::NoiseKey, bad.as_bytes()), "{bad}");
        }
        assert!(!ok(Kind::NoiseKey, format!("privkey:{}", "00".repeat(32)).as_bytes()));
        assert!(!ok(Kind::NoiseKey, format!("privkey:{}", "1f".repeat(31)).as_bytes()));
    }

    #[test]
    fn a_database_that_was_cut_off_is_none() {
        let mut file = vec![0; 8192];
        file[..16].copy_from_slice(b"SQLite format 3\0");
        file[16..18].copy_from_slice(&4096u16.to_be_bytes());
        file[28..32].copy_from_slice(&2u32.to_be_bytes());
        assert!(ok(Kind::Database, &file));
        assert!(!ok(Kind::Database, &file[..8000]));
        assert!(!ok(Kind::Database, &[0; 8192]));
    }

    #[test]
    fn an_agents_file_names_an_agent() {
        let key = "ab".repeat(32);
        assert!(ok(Kind::WazuhKeys, format!("001 web any {key}\n").as_bytes()));
        assert!(!ok(Kind::WazuhKeys, format!("001 !web any {key}\n").as_bytes()));
        assert!(!ok(Kind::WazuhKeys, b"\n"));
        assert!(!ok(Kind::WazuhKeys, b"001 web any\n"));
    }

    #[test]
    fn names_say_what_files_are() {
        for (path, kind) in [
            ("/var/ossec/etc/client.keys", Kind::WazuhKeys),
            ("mesh-data/noise.key", Kind::NoiseKey),
            ("/var/lib/headscale/db.sqlite", Kind::Database),
            ("/etc/letsencrypt/live/x/fullchain.pem", Kind::Certificate),
            ("/etc/letsencrypt/live/x/privkey.pem", Kind::PrivateKey),
            ("group_vars/all/vault.yml", Kind::Vault),
            ("notes.txt", Kind::Any),
        ] {
            assert_eq!(Kind::of(path), kind, "{path}");
        }
        assert_eq!("wazuh-keys".parse(), Ok(Kind::WazuhKeys));
        assert!("wazuh".parse::<Kind>().is_err());
    }

    proptest! {
        #[test]
        fn strangers_bytes_are_judged_and_nothing_breaks(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for kind in Kind::ALL {
                let _ = kind.parse(&bytes, bytes.len() as u64, Timestamp::UNIX_EPOCH);
            }
        }
    }
}
