//! A server on a folder of its own, and a pair of keys for backups.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use age::secrecy::ExposeSecret;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

pub struct House {
    pub folder: TempDir,
    pub recipient: String,
    server: Option<Child>,
    port: u16,
}

impl House {
    /// With a role `server` and its policy; the server runs.
    pub fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pair = age::x25519::Identity::generate();
        fs::write(folder.path().join("ops.key"), pair.to_string().expose_secret()).unwrap();
        let port = ports::free_address().port();
        let mut house = Self { folder, recipient: pair.to_public().to_string(), server: None, port };
        let config = format!("listen: 127.0.0.1:{port}\ndata_dir: mesh-data\nrelay: {{enabled: false}}\n");
        house.write("server.yaml", &config);
        house.write("policy.hujson", r#"{"tagOwners": {"tag:a": []}, "acls": [{"action": "accept", "src": ["tag:a"], "dst": ["tag:a:*"]}]}"#);
        house.start();
        house.ok(&["policy", "set", "policy.hujson"]);
        house.ok(&["role", "set", "server", "--tag", "tag:a"]);
        house
    }
    /// Returns once clients are served.
    pub fn start(&mut self) {
        let mut server = self.command(&["server", "run", "--config", "server.yaml", "--log", "error"]);
        let mut server = server.stdout(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(first.starts_with("serving "), "the server said {first:?}");
        self.server = Some(server);
    }
    pub fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        kill(Pid::from_raw(server.id() as i32), Signal::SIGTERM).unwrap();
        server.wait().unwrap();
    }
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meshctl"));
        command.env_clear().env("HOME", self.folder.path()).current_dir(self.folder.path());
        command.args(words).stdin(Stdio::null());
        command
    }
    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }
    /// What it answers as JSON; it must succeed.
    pub fn ok(&self, words: &[&str]) -> Value {
        let output = self.run(&[words, &["--json"]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
    pub fn status(&self) -> Value {
        self.ok(&["server", "status"])["status"].clone()
    }
    /// Exit code and stable code of what must fail.
    pub fn refused(&self, words: &[&str]) -> (i32, String) {
        let output = self.run(&[words, &["--json"]].concat());
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let code = answer["error"]["code"].as_str().unwrap_or_else(|| panic!("{words:?} was done: {answer}"));
        (output.status.code().unwrap(), code.to_owned())
    }
    /// A backup of the running server, made by the server.
    pub fn backup(&self) -> PathBuf {
        let made = self.ok(&["backup", "create", "--to", "backups", "--recipient", &self.recipient]);
        self.path(made["file"].as_str().unwrap())
    }
    pub fn restore(&self, archive: &Path, more: &[&str]) -> Value {
        let archive = archive.to_str().unwrap();
        let words = ["backup", "restore", archive, "--age-identity", "ops.key", "--data-dir", "mesh-data"];
        self.ok(&[&words, more].concat())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
