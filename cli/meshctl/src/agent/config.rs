//! The agent's configuration file: what to look at, and whose word counts in a recovery.

pub mod check;

use std::path::{Path, PathBuf};

use readiness::check::files::Kind;
use serde::Deserialize;

use crate::{
    probe::tls::Trust,
    talk::{Failure, read_text},
};

/// Where the file is when none is named; it need not be there then.
pub const PLACE: &str = "/etc/meshctl-agent/agent.yaml";
const FASTEST: u64 = 5;
const SLOWEST: u64 = 86_400;

/// The file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seconds from one look at everything to the next.
    pub every_seconds: u64,
    /// The client's socket.
    pub tailscale_socket: PathBuf,
    /// Socket of `meshctl agent door`; without one the agent does itself what needs rights.
    pub door: Option<PathBuf>,
    /// Folder in which the agent keeps what it found last.
    pub state_dir: Option<PathBuf>,
    /// Folder in which the door, or an agent without one, keeps which mesh this machine was in.
    pub memory_dir: Option<PathBuf>,
    /// Certificates of an authority of your own (PEM).
    pub ca: Option<PathBuf>,
    /// Files that must hold something.
    pub files: Vec<Declared>,
    /// Whose word counts when the mesh is gone; nobody's without it.
    pub recovery: Option<Recovery>,
}

/// A file that must hold something.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// Where it is.
    pub path: PathBuf,
    /// `certificate`, `private-key`, `token`, `wazuh-keys`…; without it, by its name.
    pub kind: Option<String>,
}

/// How this machine joins again.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recovery {
    /// The operator's public key.
    pub operator_key: String,
    /// Where an instruction would be put.
    #[serde(default = "instruction")]
    pub instruction: PathBuf,
    /// What joins the mesh: `{url}` is the server, `{key_file}` a file with the key.
    #[serde(default = "command")]
    pub command: Vec<String>,
    /// What starts the client anew, which holds on to the server's key that it learned; nothing to leave it alone.
    #[serde(default = "restart")]
    pub restart: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            every_seconds: 60,
            tailscale_socket: "/var/run/tailscale/tailscaled.sock".into(),
            door: None,
            state_dir: None,
            memory_dir: None,
            ca: None,
            files: Vec::new(),
            recovery: None,
        }
    }
}

impl Config {
    /// Reads it; all that is wrong is said with its place.
    pub fn load(path: Option<&Path>) -> Result<Self, Failure> {
        let place = path.unwrap_or(Path::new(PLACE));
        if path.is_none() && !place.exists() {
            return Ok(Self::default());
        }
        let wrong = |why: String| {
            Failure::usage(format!("{}: {why}", place.display()))
                .hint("docs/guide/agent.md shows every key of the file")
        };
        let text = read_text(place)?;
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let config: Self = serde_yaml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        config.fits().map_err(wrong)?;
        Ok(config)
    }

    fn fits(&self) -> Result<(), String> {
        if !(FASTEST..=SLOWEST).contains(&self.every_seconds) {
            return Err(format!("every_seconds: from {FASTEST} to {SLOWEST}"));
        }
        for file in &self.files {
            file.kind()?;
        }
        let Some(recovery) = &self.recovery else { return Ok(()) };
        super::instruction::OperatorKey::parse(&recovery.operator_key)
            .ok_or("recovery.operator_key: not a key that `meshctl agent operator-key` printed")?;
        if recovery.command.is_empty() {
            return Err("recovery.command: at least a program".to_owned());
        }
        if self.door.is_none() && self.memory_dir.is_none() {
            return Err("recovery: needs a memory_dir, to know which mesh this machine was in".to_owned());
        }
        Ok(())
    }

    /// Whom TLS trusts.
    pub fn trust(&self) -> Result<Trust, Failure> {
        self.ca.as_deref().map_or_else(|| Ok(Trust::default()), Trust::from_file)
    }
}

impl Declared {
    /// What it should be.
    pub fn kind(&self) -> Result<Kind, String> {
        let path = self.path.display().to_string();
        self.kind
            .as_deref()
            .map_or_else(|| Ok(Kind::of(&path)), |kind| kind.parse().map_err(|e| format!("{path}: {e}")))
    }
}

fn instruction() -> PathBuf {
    "/etc/meshctl-agent/recovery-instruction.json".into()
}

fn command() -> Vec<String> {
    [
        "tailscale",
        "up",
        "--login-server={url}",
        "--auth-key=file:{key_file}",
        "--force-reauth",
        "--timeout=60s",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn restart() -> Vec<String> {
    ["systemctl", "restart", "tailscaled.service"].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.yaml");
        std::fs::write(&path, text).unwrap();
        Config::load(Some(&path)).map_err(|e| e.detail)
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(load("").unwrap().every_seconds, 60);
        for (text, word) in [
            ("evry_seconds: 5", "evry_seconds"),
            ("every_seconds: 1", "from 5 to"),
            ("files: [{path: /x, kind: nonsense}]", "/x"),
            ("recovery: {operator_key: x}", "operator_key"),
            ("recovery: {}", "operator_key"),
            ("[1", ""),
        ] {
            let why = load(text).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
    }
}
