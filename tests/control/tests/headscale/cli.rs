//! The program, and a server that it is pointed at.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use api::{policy, role};
use control::config::File;
use serde_json::Value;

use crate::{
    authority::Authority,
    house::{House, without_relay},
};

/// Members reach each other.
pub const POLICY: &str = r#"{
    "tagOwners": {"tag:member": [], "tag:island": []},
    "acls": [{"action": "accept", "src": ["tag:member"], "dst": ["tag:member:*"]}],
}"#;

/// A server with TLS and roles, and how the program finds it.
pub struct Stage {
    pub house: House,
    pub authority: Authority,
    folder: tempfile::TempDir,
    key: String,
}

/// What the program said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Stage {
    pub async fn set(file: File) -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let tls = Some(authority.files(folder.path(), "main", "127.0.0.1"));
        let house = House::open(File { tls, ..file }).await;
        house.admin.call(&policy::SET, &[], &policy::Edit::of(POLICY)).await.unwrap();
        for name in ["member", "island"] {
            let tags = Some(vec![format!("tag:{name}").parse().unwrap()]);
            let set = role::Set { tags, reusable: Some(true), ..role::Set::default() };
            house.admin.call(&role::SET, &[name], &set).await.unwrap();
        }
        let create = api::apikey::Create { description: "headscale".into(), ..Default::default() };
        let made = house.admin.call(&api::apikey::CREATE, &[], &create).await.unwrap().outcome;
        let key = made.secret.unwrap().expose().to_owned();
        fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        Self { house, authority, folder, key }
    }

    pub async fn plain() -> Self {
        Self::set(without_relay()).await
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the program with the API key.
    pub fn run(&self, words: &[&str]) -> Said {
        let address = self.house.address.to_string();
        let way = [("HEADSCALE_CLI_ADDRESS", address.as_str()), ("HEADSCALE_CLI_API_KEY", self.key.as_str())];
        self.run_with(words, &way)
    }

    /// Runs the program with nothing but these variables.
    pub fn run_with(&self, words: &[&str], environment: &[(&str, &str)]) -> Said {
        let mut command = Command::new(binary());
        command.args(words).env_clear().current_dir(self.folder()).env("HOME", self.folder());
        command.env("SSL_CERT_FILE", self.folder().join("ca.pem")).env("HEADSCALE_CLI_TIMEOUT", "15s");
        command.env("HEADSCALE_DISABLE_CHECK_UPDATES", "true").envs(environment.iter().copied());
        let output = command.output().unwrap();
        Said {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What must work, as the program's JSON.
    pub fn ok(&self, words: &[&str]) -> Value {
        let said = self.run(&[words, &["--output", "json", "--force"]].concat());
        assert_eq!(said.code, Some(0), "{words:?}: {said:?}");
        serde_json::from_str(&said.stdout).unwrap_or_else(|e| panic!("{words:?}: {e} in {said:?}"))
    }

    /// What must be refused, in these words.
    pub fn refused(&self, words: &[&str], why: &str) {
        let said = self.run(&[words, &["--force"]].concat());
        assert_ne!(said.code, Some(0), "{words:?}: {said:?}");
        assert!((said.stderr.clone() + &said.stdout).contains(why), "{words:?}: {said:?}");
    }
}

fn binary() -> PathBuf {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("MESHCTL_CACHE").or_else(|| {
        let users = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
        Some(users.join("meshctl-tests"))
    });
    let binary = cache.expect("neither MESHCTL_CACHE nor HOME is set").join("rivals/headscale");
    assert!(binary.is_file(), "{} is not there; build it with tests/swarm/rivals/build", binary.display());
    binary
}
