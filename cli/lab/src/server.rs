//! The server under test on host `srv`, and the operator's command line beside it.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{self, Output};
use crate::host::Host;
use crate::patience::until;
use crate::process::Process;

pub const SERVER_ADDRESS: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 10);
pub const SERVER_URL: &str = "http://172.30.0.10:8080";
/// TCP port of the relay.
pub const RELAY_PORT: u16 = 443;
/// How long the server under test lets an ephemeral node be away.
pub const EPHEMERAL_GRACE: Duration = Duration::from_secs(15);
const NAME: &str = "server";
pub(crate) const SERVER_PORT: u16 = 8080;
/// Where clients and relay are served, unless a configuration says otherwise.
const SERVES: [(Ipv4Addr, u16); 2] = [(SERVER_ADDRESS, SERVER_PORT), (SERVER_ADDRESS, RELAY_PORT)];
const CONFIG: &str = "\
server_url: http://172.30.0.10:8080
listen: 172.30.0.10:8080
ephemeral_grace: 15s
relay:
  listen: 172.30.0.10:443
  stun: 172.30.0.10:3478
";
const READY_LIMIT: Duration = Duration::from_secs(30);
const COMMAND_LIMIT: Duration = Duration::from_secs(20);

/// A running `meshctl server`. Dropping it kills it, unless it is kept; its data stay in the host's folder.
#[derive(Debug)]
pub struct Server<'lab> {
    host: &'lab Host,
    binary: PathBuf,
    process: Process,
    kept: bool,
    serves: Vec<(Ipv4Addr, u16)>,
}

impl<'lab> Server<'lab> {
    /// Starts the server on `host` with an empty data folder and waits until it serves clients, relay and operator.
    pub fn start(host: &'lab Host, binary: &Path) -> Result<Self> {
        Self::start_with(host, binary, CONFIG, &SERVES)
    }

    /// The same with a configuration of one's own, to which the data folder is added, and TCP ports it serves.
    pub fn start_with(
        host: &'lab Host,
        binary: &Path,
        config: &str,
        serves: &[(Ipv4Addr, u16)],
    ) -> Result<Self> {
        let data = host.dir().join("data");
        fs::create_dir_all(&data)?;
        fs::write(config_file(host), format!("data_dir: {}\n{config}", data.display()))?;
        let process = launch(host, binary)?;
        let (binary, serves) = (binary.to_owned(), serves.to_vec());
        let mut server = Self { host, binary, process, kept: false, serves };
        server.await_ready()?;
        Ok(server)
    }

    /// Lets the server outlive this program, also when it is started again.
    pub fn keep(&mut self) -> Result<()> {
        self.kept = true;
        self.process.keep()
    }

    /// The server that another program started on `host` and kept; one that has died is started anew on its data.
    pub fn found(host: &'lab Host, binary: &Path) -> Result<Self> {
        let running = host.process(NAME)?;
        let alive = running.is_some();
        let process = running.map_or_else(|| launch(host, binary), Ok)?;
        let mut server =
            Self { host, binary: binary.to_owned(), process, kept: true, serves: SERVES.to_vec() };
        if !alive {
            server.process.keep()?;
            server.await_ready()?;
        }
        Ok(server)
    }

    pub fn runs(&mut self) -> Result<bool> {
        self.process.runs()
    }

    /// The operator's command line over the local socket; its failure is the caller's to judge.
    pub fn try_meshctl(&self, words: &[&str]) -> Result<Output> {
        let mut command = Command::new(&self.binary);
        command.arg("--socket").arg(socket(self.host)).args(words);
        command.env_remove("MESHCTL_SERVER").env_remove("MESHCTL_API_KEY_FILE").current_dir(self.host.dir());
        command::run(command, "", COMMAND_LIMIT)
    }

    /// The operator's command line over the local socket, with `--json`. An error unless it succeeds.
    pub fn meshctl(&self, words: &[&str]) -> Result<Value> {
        let all: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let output = self.try_meshctl(&all)?.ok()?;
        serde_json::from_str(&output.stdout).with_context(|| format!("`{}` gave no JSON", output.command))
    }

    /// Writes `text` into a file and puts it in force as the policy.
    pub fn set_policy(&self, text: &str) -> Result<()> {
        let file = self.host.dir().join("policy.hujson");
        fs::write(&file, text)?;
        self.meshctl(&["policy", "set", "--accept-widening", path(&file)?]).map(drop)
    }

    /// Writes `text` into a file and applies it as the list of roles.
    pub fn apply_roles(&self, text: &str) -> Result<()> {
        let file = self.host.dir().join("roles.yaml");
        fs::write(&file, text)?;
        self.meshctl(&["role", "apply", path(&file)?]).map(drop)
    }

    /// A new key of `role`, in a file of its own named `name`.
    pub fn create_key(&self, role: &str, name: &str) -> Result<PathBuf> {
        let file = self.host.dir().join(format!("{name}.key"));
        self.meshctl(&["key", "create", "--role", role, "--out", path(&file)?])?;
        Ok(file)
    }

    /// The nodes the server knows, in its own order.
    pub fn nodes(&self) -> Result<Vec<Value>> {
        let list = self.meshctl(&["node", "list"])?;
        list["nodes"].as_array().cloned().context("node list without nodes")
    }

    /// The node called `name`.
    pub fn node(&self, name: &str) -> Result<Value> {
        let found = self.nodes()?.into_iter().find(|node| node["name"] == name);
        found.with_context(|| format!("the server knows no node {name}"))
    }

    /// SIGKILL, as in a power cut.
    pub fn kill9(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// SIGTERM, and at most `limit` for an orderly end.
    pub fn stop(&mut self, limit: Duration) -> Result<()> {
        let ended = self.process.stop(limit)?;
        if !ended.success() {
            bail!("the server ended with {ended}");
        }
        Ok(())
    }

    /// Starts the server anew on the data it left.
    pub fn start_again(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = launch(self.host, &self.binary)?;
        if self.kept {
            self.process.keep()?;
        }
        self.await_ready()
    }

    /// All the server has logged since the lab started, over all its lives.
    pub fn logged(&self) -> Result<String> {
        self.process.logged()
    }

    fn await_ready(&mut self) -> Result<()> {
        until(READY_LIMIT, "the server to be ready", || {
            if !self.process.runs()? {
                return Ok(None);
            }
            for (address, port) in &self.serves {
                if !self.host.listens(*address, *port)? {
                    return Ok(None);
                }
            }
            self.try_meshctl(&["node", "list", "--json"])?.ok().map(|_| Some(()))
        })
        .with_context(|| self.logged().unwrap_or_default())
    }
}

fn launch(host: &Host, binary: &Path) -> Result<Process> {
    host.spawn(NAME, &[path(binary)?, "server", "run", "--config", path(&config_file(host))?], &[])
}

fn config_file(host: &Host) -> PathBuf {
    host.dir().join("server.yaml")
}

pub(crate) fn socket(host: &Host) -> PathBuf {
    host.dir().join("data").join("control.sock")
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
