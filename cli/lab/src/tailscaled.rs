//! The official client on a host, with a real TUN device.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::Output;
use crate::host::Host;
use crate::patience::until;
use crate::prerequisites::Clients;
use crate::process::Process;

const QUIET: [(&str, &str); 4] = [
    ("TS_NO_LOGS_NO_SUPPORT", "1"),
    ("TS_ASSUME_NETWORK_UP_FOR_TEST", "1"),
    ("TS_PANIC_IF_HIT_MAIN_CONTROL", "1"),
    ("TS_DISABLE_PORTMAPPER", "1"),
];
const NAME: &str = "tailscaled";
const COMMAND_LIMIT: Duration = Duration::from_secs(20);
const UP_LIMIT: Duration = Duration::from_secs(60);

/// A running `tailscaled`. Dropping it kills it, unless it is kept; its state stays in the host's folder.
#[derive(Debug)]
pub struct Tailscaled<'lab> {
    host: &'lab Host,
    clients: Clients,
    daemon: Process,
    kept: bool,
}

/// The answer to one `tailscale ping`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pong {
    /// Through UDP between the two, at this address.
    Direct(String),
    /// Through the relay of this region.
    Relayed(String),
}

impl<'lab> Tailscaled<'lab> {
    /// Starts the daemon and waits until it answers. State of an earlier one on the same host is taken up.
    pub fn start(host: &'lab Host, clients: &Clients) -> Result<Self> {
        let client = Self { host, clients: clients.clone(), daemon: daemon(host, clients)?, kept: false };
        client.await_answer()?;
        Ok(client)
    }

    /// Lets the daemon outlive this program, also when it is started again.
    pub fn keep(&mut self) -> Result<()> {
        self.kept = true;
        self.daemon.keep()
    }

    /// The daemon that another program started on `host` and kept; one that has died is started anew on its state.
    pub fn found(host: &'lab Host, clients: &Clients) -> Result<Self> {
        let running = host.process(NAME)?;
        let alive = running.is_some();
        let daemon = running.map_or_else(|| daemon(host, clients), Ok)?;
        let mut client = Self { host, clients: clients.clone(), daemon, kept: true };
        if !alive {
            client.daemon.keep()?;
        }
        client.await_answer()?;
        Ok(client)
    }

    pub fn runs(&mut self) -> Result<bool> {
        self.daemon.runs()
    }

    /// Removes what the daemon on `host` left: keys and profile, as when the disk is lost.
    pub fn forget(host: &Host) -> Result<()> {
        let state = state_dir(host);
        if state.exists() {
            fs::remove_dir_all(state).context("cannot remove the client's state")
        } else {
            Ok(())
        }
    }

    pub fn host(&self) -> &'lab Host {
        self.host
    }

    /// The daemon's state file: keys and profile.
    pub fn state_file(&self) -> PathBuf {
        state_dir(self.host).join("tailscaled.state")
    }

    /// `tailscale up`: joins with the key in `authkey_file` and waits until the client runs.
    pub fn up(&self, login_server: &str, authkey_file: &Path, hostname: &str, extra: &[&str]) -> Result<()> {
        let key = format!("--auth-key=file:{}", authkey_file.display());
        let login_server = format!("--login-server={login_server}");
        let hostname = format!("--hostname={hostname}");
        let mut words = vec!["up", &login_server, &key, &hostname, "--timeout=50s"];
        words.extend(extra);
        self.tailscale(&words, UP_LIMIT)?.ok().map(drop)
    }

    /// `tailscale status --json`.
    pub fn status(&self) -> Result<Value> {
        let output = self.tailscale(&["status", "--json"], COMMAND_LIMIT)?.ok()?;
        serde_json::from_str(&output.stdout).context("status is not JSON")
    }

    /// The client's own word for its state: `NeedsLogin`, `Running`...
    pub fn state(&self) -> Result<String> {
        let status = self.status()?;
        Ok(status["BackendState"].as_str().context("status without BackendState")?.to_owned())
    }

    /// The network map as the client holds it.
    pub fn netmap(&self) -> Result<Value> {
        let output = self.tailscale(&["debug", "netmap"], COMMAND_LIMIT)?.ok()?;
        serde_json::from_str(&output.stdout).context("the network map is not JSON")
    }

    /// The client's own IPv4 and IPv6 address in the mesh.
    pub fn addresses(&self) -> Result<Vec<String>> {
        let status = self.status()?;
        let addresses = status["Self"]["TailscaleIPs"].as_array().context("the client has no addresses")?;
        Ok(addresses.iter().filter_map(|ip| ip.as_str().map(str::to_owned)).collect())
    }

    /// Host names of all peers the client knows, sorted.
    pub fn peers(&self) -> Result<Vec<String>> {
        let status = self.status()?;
        let peers = status["Peer"].as_object().into_iter().flat_map(|peers| peers.values());
        let mut names: Vec<String> = peers.filter_map(|peer| label(&peer["DNSName"])).collect();
        names.sort();
        Ok(names)
    }

    /// What status says of the peer called `name`.
    pub fn peer(&self, name: &str) -> Result<Value> {
        let status = self.status()?;
        let mut peers = status["Peer"].as_object().into_iter().flat_map(|peers| peers.values());
        peers
            .find(|peer| label(&peer["DNSName"]).as_deref() == Some(name))
            .cloned()
            .with_context(|| format!("{} knows no peer {name}", self.host.name()))
    }

    /// `tailscale ping`: the path of the first answer, or with `until_direct` that of the last of ten tries, which
    /// end with the first direct one.
    pub fn ping(&self, target: &str, until_direct: bool) -> Result<Pong> {
        let direct = format!("--until-direct={until_direct}");
        let count = if until_direct { "-c=10" } else { "-c=1" };
        let limit = Duration::from_secs(40);
        let output = self.tailscale(&["ping", &direct, count, "--timeout=3s", target], limit)?;
        let Some(last) = output.stdout.lines().rev().find_map(pong) else {
            bail!("{} got no answer from {target}: {}{}", self.host.name(), output.stdout, output.stderr);
        };
        Ok(last)
    }

    pub fn logout(&self) -> Result<()> {
        self.tailscale(&["logout"], COMMAND_LIMIT)?.ok().map(drop)
    }

    /// Any other verb of the client's command line.
    pub fn tailscale(&self, words: &[&str], limit: Duration) -> Result<Output> {
        let program = self.clients.tailscale.to_string_lossy();
        let socket = format!("--socket={}", socket(self.host).display());
        let mut all = vec![program.as_ref(), socket.as_str()];
        all.extend(words);
        self.host.try_exec(&all, limit)
    }

    /// SIGKILL to the daemon, as in a power cut. The network interface goes with it.
    pub fn kill(&mut self) -> Result<()> {
        self.daemon.kill()
    }

    /// Starts the daemon anew on the state it left.
    pub fn start_again(&mut self) -> Result<()> {
        self.daemon.kill()?;
        self.daemon = daemon(self.host, &self.clients)?;
        if self.kept {
            self.daemon.keep()?;
        }
        self.await_answer()
    }

    /// All the daemon has logged.
    pub fn logged(&self) -> Result<String> {
        self.daemon.logged()
    }

    fn await_answer(&self) -> Result<()> {
        until(Duration::from_secs(20), "tailscaled to answer", || self.state().map(|_| Some(())))
    }
}

fn daemon(host: &Host, clients: &Clients) -> Result<Process> {
    let state = state_dir(host);
    fs::create_dir_all(&state)?;
    let program = clients.tailscaled.to_string_lossy();
    let (state_flag, socket) =
        (format!("--statedir={}", state.display()), format!("--socket={}", socket(host).display()));
    let port = format!("--port={}", port(host));
    let words = [&*program, "--tun=ts0", &state_flag, &socket, &port, "--no-logs-no-support", "--verbose=1"];
    let logs = state.to_string_lossy();
    let env: Vec<(&str, &str)> = QUIET.into_iter().chain([("TS_LOGS_DIR", &*logs)]).collect();
    host.spawn(NAME, &words, &env)
}

fn state_dir(host: &Host) -> PathBuf {
    host.dir().join("tailscale")
}

/// The socket of the daemon on `host`.
pub(crate) fn socket(host: &Host) -> PathBuf {
    host.dir().join("tailscaled.sock")
}

/// A port of its own per host: two clients behind one router with the same port would meet a NAT that has to
/// renumber one of them, which is another test.
fn port(host: &Host) -> u32 {
    host.name().bytes().fold(41_000, |port, byte| port + u32::from(byte))
}

/// First label of a DNS name.
fn label(name: &Value) -> Option<String> {
    name.as_str()?.split('.').next().map(str::to_owned)
}

/// Reads `pong from NAME (IP) via ENDPOINT in 3ms` and `... via DERP(code) in 20ms`.
fn pong(line: &str) -> Option<Pong> {
    let via = line.strip_prefix("pong from ")?.split(" via ").nth(1)?.split(" in ").next()?;
    let region = via.strip_prefix("DERP(").and_then(|rest| rest.strip_suffix(')'));
    Some(region.map_or_else(|| Pong::Direct(via.to_owned()), |region| Pong::Relayed(region.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pongs() {
        let direct = pong("pong from c3 (100.64.0.3) via 172.30.0.2:41149 in 2ms");
        assert_eq!(direct, Some(Pong::Direct("172.30.0.2:41149".into())));
        let relayed = pong("pong from c4 (100.64.0.4) via DERP(mesh) in 12ms");
        assert_eq!(relayed, Some(Pong::Relayed("mesh".into())));
        assert_eq!(pong("ping \"100.64.0.4\" timed out"), None);
    }
}
