//! The test peer of `tests/clients/rust` on a host: lines in, lines of JSON out.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lab::{Host, Process, until};
use serde_json::Value;

/// Redirects a peer's input and output to files beside its log; its first word is their common name.
const REDIRECTED: &str = r#"exec "$@" <"$0.commands" >"$0.jsonl""#;
/// Seconds without a map until a peer gives up.
const PATIENCE: u32 = 30;
const UP_LIMIT: Duration = Duration::from_secs(45);
/// A command makes few calls, each with a limit of its own.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// The exit code of a peer whose client is gone for good.
const GONE: i32 = 3;

/// A running peer. Dropping it kills it; its keys stay in the host's folder.
pub struct RustPeer<'lab> {
    host: &'lab Host,
    name: String,
    arguments: Vec<String>,
    roots: PathBuf,
    process: Process,
    commands: File,
}

impl<'lab> RustPeer<'lab> {
    /// Joins the mesh of `url` as `name`, trusting `roots`, and waits for the first map.
    pub fn join(host: &'lab Host, name: &str, url: &str, roots: &Path, key: &Path) -> Result<Self> {
        let peer = Self::begin(host, name, url, roots, key, PATIENCE)?;
        until(UP_LIMIT, &format!("{name} to come up"), || {
            peer.events("up").map(|events| events.into_iter().next())
        })?;
        Ok(peer)
    }

    /// Like [`RustPeer::join`], without waiting; the peer itself gives up after `patience` seconds without a map.
    pub fn begin(
        host: &'lab Host,
        name: &str,
        url: &str,
        roots: &Path,
        key: &Path,
        patience: u32,
    ) -> Result<Self> {
        let state = host.dir().join(format!("{name}.state")).display().to_string();
        let (key, patience) = (key.display().to_string(), patience.to_string());
        let mut words = vec!["mesh", "--control-url", url, "--hostname", name, "--patience", &patience];
        words.extend(["--state", &state, "--auth-key-file", &key]);
        Self::start(host, name, &words, roots)
    }

    /// Asks to join without a key.
    pub fn without_key(host: &'lab Host, name: &str, url: &str, roots: &Path) -> Result<Self> {
        let state = host.dir().join(format!("{name}.state")).display().to_string();
        let patience = PATIENCE.to_string();
        let words =
            ["mesh", "--control-url", url, "--hostname", name, "--patience", &patience, "--state", &state];
        Self::start(host, name, &words, roots)
    }

    /// The page on which this client, which has no key, can be let in; it ends when it has shown it.
    pub fn page(&mut self) -> Result<String> {
        self.await_gone()?;
        let lost = self.events("lost")?.into_iter().next().context("it does not say why it ended")?;
        let why = lost["why"].as_str().unwrap_or_default();
        let page = why.split_whitespace().find(|word| word.contains("/register/"));
        page.map(str::to_owned).with_context(|| format!("{} shows no page: {why}", self.name))
    }

    /// Speaks over the sockets of the host itself, for the client that gives the host its own interface.
    pub fn kernel(host: &'lab Host) -> Result<Self> {
        Self::start(host, "kernel", &["kernel"], Path::new(""))
    }

    /// Runs one command and gives its result; an error if the peer says that it failed.
    pub fn ask(&mut self, command: &str) -> Result<Value> {
        let before = self.events("answer")?.len();
        writeln!(self.commands, "{command}")?;
        let answer = until(ANSWER_LIMIT, &format!("{} to answer `{command}`", self.name), || {
            Ok(self.events("answer")?.into_iter().nth(before))
        })?;
        if answer["ok"] != true {
            bail!("{}: `{command}` gave {}", self.name, answer["error"]);
        }
        Ok(answer["result"].clone())
    }

    /// Serves the echo of both transports on `port`.
    pub fn serve(&mut self, port: u16) -> Result<()> {
        self.ask(&format!("serve-tcp {port}"))?;
        self.ask(&format!("serve-udp {port}")).map(drop)
    }

    /// Tries `count` echoes of 1000 bytes until one try loses none, at most for half a minute.
    pub fn dial(&mut self, transport: &str, to: &str, port: u16, count: u32) -> Result<()> {
        let command = format!("dial-{transport} {to} {port} {count} 1000");
        until(Duration::from_secs(30), &format!("{} to get every echo of `{command}`", self.name), || {
            let result = self.ask(&command)?;
            if result["received"] != count {
                bail!("{} of {count} came back", result["received"]);
            }
            Ok(Some(()))
        })
    }

    /// Waits until the client finds a peer by `name`; gives what it holds of it.
    pub fn find(&mut self, name: &str) -> Result<Value> {
        until(Duration::from_secs(30), &format!("{} to know {name}", self.name), || {
            let peer = self.ask(&format!("peer {name}"))?;
            Ok((!peer.is_null()).then_some(peer))
        })
    }

    /// Waits until the client finds no peer by `name`.
    pub fn forgets(&mut self, name: &str) -> Result<()> {
        until(Duration::from_secs(30), &format!("{} to know no {name}", self.name), || {
            Ok(self.ask(&format!("peer {name}"))?.is_null().then_some(()))
        })
    }

    /// What the client held of peer `name` in each `peers` event so far, oldest first.
    pub fn watched(&self, name: &str) -> Result<Vec<Value>> {
        Ok(self.events("peers")?.into_iter().map(|event| event["peers"][name].clone()).collect())
    }

    /// Tells the client once more what it may have missed at its start, by touching the host's addresses.
    pub fn retell_network(&self, address: &str) -> Result<()> {
        self.host.exec(&["ip", "address", "replace", address, "dev", "eth0"])?;
        self.host.exec(&["ip", "link", "set", "eth0", "mtu", "1499"])?;
        self.host.exec(&["ip", "link", "set", "eth0", "mtu", "1500"]).map(drop)
    }

    pub fn runs(&mut self) -> Result<bool> {
        self.process.runs()
    }

    /// Waits until the client is gone for good, which it says by its exit code.
    pub fn await_gone(&mut self) -> Result<()> {
        let ended = self.process.wait(Duration::from_secs(60))?;
        if ended.code() != Some(GONE) {
            bail!("{} ended with {ended}", self.name);
        }
        Ok(())
    }

    /// Starts the process anew on the same keys and waits for the first map.
    pub fn start_again(&mut self) -> Result<()> {
        let words: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        *self = Self::start(self.host, &self.name.clone(), &words, &self.roots.clone())?;
        until(UP_LIMIT, &format!("{} to come up again", self.name), || {
            self.events("up").map(|events| events.into_iter().next())
        })
        .map(drop)
    }

    /// Ends the process in good order.
    pub fn quit(mut self) -> Result<()> {
        writeln!(self.commands, "quit")?;
        let ended = self.process.wait(Duration::from_secs(10))?;
        if !ended.success() {
            bail!("{} ended with {ended}", self.name);
        }
        Ok(())
    }

    fn start(host: &'lab Host, name: &str, arguments: &[&str], roots: &Path) -> Result<Self> {
        let files = host.dir().join(name).display().to_string();
        let pipe = format!("{files}.commands");
        if !Path::new(&pipe).exists() {
            host.exec(&["mkfifo", "-m", "600", &pipe])?;
        }
        // open for both, so that neither side waits for the other and the peer sees no end while this file is open
        let commands = File::options().read(true).write(true).open(&pipe)?;
        fs::write(format!("{files}.jsonl"), "")?;
        let binary = binary()?.display().to_string();
        let mut words = vec!["sh", "-c", REDIRECTED, &files, &binary];
        words.extend(arguments);
        let env = [("TEST_ROOTS_PEM", &*roots.to_string_lossy()), ("RUST_LOG", "warn")];
        let process = host.spawn(name, &words, &env)?;
        let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        Ok(Self { host, name: name.to_owned(), arguments, roots: roots.to_owned(), process, commands })
    }

    fn events(&self, kind: &str) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.host.dir().join(format!("{}.jsonl", self.name)))?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let events = whole.lines().map(|line| serde_json::from_str::<Value>(line).context("no JSON"));
        events.filter(|event| !matches!(event, Ok(event) if event["event"] != kind)).collect()
    }
}

/// Where `tests/clients/rust/build` puts the peer.
fn binary() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("MESHCTL_CACHE").or_else(|| {
        let users = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
        Some(users.join("meshctl-tests"))
    });
    let binary = cache.context("neither MESHCTL_CACHE nor HOME is set")?.join("rust-target/debug/mesh-peer");
    if !binary.is_file() {
        bail!("{} is not there; build it with tests/clients/rust/build", binary.display());
    }
    Ok(binary)
}
