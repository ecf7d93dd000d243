//! A folder of its own for each test, with a server that has policy, roles and keys if it is wanted.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU8, Ordering},
};

use serde_json::Value;
use tempfile::TempDir;

const MESHCTL: &str = env!("CARGO_BIN_EXE_meshctl");

/// A folder, and what runs in it.
pub struct Bench {
    folder: TempDir,
    server: Option<Child>,
    pub ip: String,
}

/// What the program said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
    /// Whether it gave up on somebody after some seconds.
    fn came_too_late(&self) -> bool {
        let seconds = |rest: &str| rest.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(" s");
        self.out.contains("timed out") || self.out.split(" within ").skip(1).any(seconds)
    }
    /// A check of the report.
    pub fn check(&self, id: &str) -> Value {
        let report = self.json();
        let checks = report["checks"].as_array().unwrap_or_else(|| panic!("{self:?}"));
        checks.iter().find(|c| c["id"] == id).unwrap_or_else(|| panic!("{id} was not run: {report}")).clone()
    }
    pub fn state(&self, id: &str) -> String {
        self.check(id)["state"].as_str().unwrap().to_owned()
    }
    /// The line that mends the first finding of this state.
    pub fn fix(&self, id: &str) -> String {
        let check = self.check(id);
        let findings = check["findings"].as_array().unwrap();
        let worst = findings.iter().find(|f| f["state"] == check["state"]).unwrap();
        worst["fix"].as_str().unwrap_or_else(|| panic!("no fix: {check}")).to_owned()
    }
}

/// An address of this machine that no other test uses, so that fixed ports do not collide.
pub fn address() -> String {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.{}.{high}.{low}", 90 + NEXT.fetch_add(1, Ordering::SeqCst))
}

impl Bench {
    /// Without a server.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), server: None, ip: address() }
    }
    /// With a server that has everything.
    pub fn served() -> Self {
        let mut bench = Self::new();
        bench.serve();
        bench
    }
    /// Starts a server with everything, in `mesh-data`.
    pub fn serve(&mut self) {
        let listen = format!("{}:8080", self.ip);
        self.start(&["quickstart", "--json", "--listen", &listen]);
    }
    /// Starts a server on the same folder with these lines of configuration.
    pub fn serve_with(&mut self, lines: &str) {
        self.write("mesh.yaml", &format!("listen: {}:8080\ndata_dir: mesh-data\n{lines}", self.ip));
        self.start(&["server", "run", "--json", "--config", "mesh.yaml"]);
    }
    fn start(&mut self, words: &[&str]) {
        let mut child = self.command(words).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("server_url"), "the server said {line:?}");
        self.server = Some(child);
    }
    /// Ends the server.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }
    pub fn url(&self) -> String {
        format!("http://{}:8080", self.ip)
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
    /// Blanks divide the words, single quotes keep them together.
    pub fn run(&self, line: &str) -> Said {
        let words = words(line);
        let output = self.command(&words.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
        Said { code: output.status.code().unwrap_or(-1), out, err }
    }
    /// `meshctl check … --json`. Where everybody answers, but too late on a machine that is at work elsewhere, it is run again.
    pub fn check(&self, line: &str) -> Said {
        let mut said = self.check_once(line);
        for _ in 0..4 {
            if !said.came_too_late() {
                break;
            }
            said = self.check_once(line);
        }
        said
    }
    /// The same, where somebody answers nothing.
    pub fn check_once(&self, line: &str) -> Said {
        self.run(&format!("check {line} --json"))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(MESHCTL);
        let search = format!("{}:/usr/sbin:/usr/bin:/bin", Path::new(MESHCTL).parent().unwrap().display());
        command.args(words).env_clear().env("HOME", self.folder.path()).env("PATH", search);
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stderr(Stdio::piped());
        command
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (i, part) in line.split('\'').enumerate() {
        if i % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}
