//! A folder of its own, an empty environment, and programs that run in it.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with everything in it.
pub struct Bench {
    folder: TempDir,
}

/// What a program said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Ended well.
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }
    /// The JSON answer.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
    /// The code of a refusal.
    pub fn refusal(&self) -> String {
        assert_ne!(self.code, 0, "{self:?}");
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

impl Bench {
    /// An empty folder, which is also the home.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }
    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
    /// Writes a program.
    pub fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.write(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
    /// The text of a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
    /// Runs `meshctl secret … --json`.
    pub fn secret(&self, line: &str) -> Said {
        self.meshctl(&format!("secret {line} --json"), "")
    }
    /// Runs `meshctl`; blanks divide the words, single quotes keep them together.
    pub fn meshctl(&self, line: &str, input: &str) -> Said {
        let mut command = self.command(&meshctl());
        command.args(words(line));
        say(command, input)
    }
    /// Starts `meshctl` and does not wait.
    pub fn start(&self, line: &str) -> Child {
        let mut command = self.command(&meshctl());
        command.args(words(line)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }
    /// Runs a reference tool.
    pub fn tool(&self, name: &str, line: &str, input: &str) -> Said {
        let ours = tools().join(name);
        let venv = tools().join("venv/bin").join(name);
        let program = [ours, venv].into_iter().find(|p| p.exists()).unwrap_or_else(|| PathBuf::from(name));
        let mut command = self.command(&program);
        command.args(words(line));
        say(command, input)
    }
    /// An age identity in `name`, and its recipient.
    pub fn age_key(&self, name: &str) -> String {
        let said = self.tool("age-keygen", &format!("-o {name}"), "").ok();
        said.err.trim().rsplit(' ').next().unwrap().to_owned()
    }
    /// A program in this folder and with nothing of the outside but the search path.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.folder.path()).current_dir(self.folder.path());
        command.env("PATH", format!("{}:/usr/bin:/bin", meshctl().parent().unwrap().display()));
        command.env("LC_ALL", "C.UTF-8");
        command
    }
}

fn say(mut command: Command, input: &str) -> Said {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
    Said { code: output.status.code().unwrap_or(-1), out, err }
}

/// Words between blanks; single quotes keep blanks together.
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

/// The binary under test.
pub fn meshctl() -> PathBuf {
    if let Some(path) = std::env::var_os("MESHCTL_BIN") {
        return fs::canonicalize(path).unwrap();
    }
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().unwrap().parent().unwrap().join("meshctl");
    assert!(path.exists(), "{} is missing: cargo build -p meshctl, or set MESHCTL_BIN", path.display());
    path
}

/// Where the reference tools are; installs them when they are not.
fn tools() -> &'static Path {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/install");
        let output = Command::new(install).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "tools/install failed");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    })
}
