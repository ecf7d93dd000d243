//! A server and the clients that joined it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use lab::{Clients, Lab, SERVER_URL, Server, Tailscaled, server_binary, until};
use serde_json::Value;

/// Members reach each other and workers; workers reach nobody; guests are named by no rule.
pub const POLICY: &str = r#"{
  // owners of a tag may give it; these are given by role keys alone
  "tagOwners": {"tag:member": [], "tag:worker": [], "tag:guest": []},
  "acls": [
    {"action": "accept", "src": ["tag:member"], "dst": ["tag:member:*", "tag:worker:*"]},
  ],
}
"#;

pub const ROLES: &str = "\
roles:
  - name: member
    tags: [tag:member]
    description: reaches members and workers
  - name: worker
    tags: [tag:worker]
    description: gone when it disconnects
    key: {ephemeral: true}
  - name: guest
    tags: [tag:guest]
    description: no rule names it
";

/// How long a change may take to arrive at every client.
const SETTLED: Duration = Duration::from_secs(30);

/// The server with [`POLICY`] and [`ROLES`], and clients by the name of their host.
pub struct Mesh<'lab> {
    pub lab: &'lab Lab,
    pub server: Server<'lab>,
    clients: BTreeMap<String, Tailscaled<'lab>>,
    binaries: Clients,
}

impl<'lab> Mesh<'lab> {
    /// A server without any client.
    pub fn start(lab: &'lab Lab) -> Result<Self> {
        Self::of_server(lab, Server::start(lab.host("srv")?, &server_binary()?)?)
    }

    /// The same with a server of one's own making.
    pub fn of_server(lab: &'lab Lab, server: Server<'lab>) -> Result<Self> {
        server.set_policy(POLICY)?;
        server.apply_roles(ROLES)?;
        Ok(Self { lab, server, clients: BTreeMap::new(), binaries: Clients::find()? })
    }

    /// A server that takes API keys over plain HTTP: the way from a browser to it is this machine's own.
    pub fn start_for_browsers(lab: &'lab Lab) -> Result<Self> {
        let mut mesh = Self::start(lab)?;
        let config = lab.host("srv")?.dir().join("server.yaml");
        let text = fs::read_to_string(&config)?;
        fs::write(&config, format!("{text}admin: {{plain_http: true}}\n"))?;
        mesh.server.start_again()?;
        Ok(mesh)
    }

    /// An API key, as somebody types it into a browser.
    pub fn api_key(&self) -> Result<String> {
        let file = self.lab.host("srv")?.dir().join("browser.key");
        let out = file.to_str().context("a path in UTF-8")?;
        self.server.meshctl(&["apikey", "create", "--description", "alice", "--out", out])?;
        Ok(fs::read_to_string(file)?.trim().to_owned())
    }

    /// A server, and one member on each of these hosts, all knowing each other.
    pub fn of_members(lab: &'lab Lab, hosts: &[&str]) -> Result<Self> {
        let mut mesh = Self::start(lab)?;
        mesh.join("member", hosts)?;
        for host in hosts {
            let others: Vec<&str> = hosts.iter().copied().filter(|other| other != host).collect();
            mesh.await_peers(host, &others)?;
        }
        Ok(mesh)
    }

    /// Joins a client on each of these hosts with a key of `role` each. They start side by side.
    pub fn join(&mut self, role: &str, hosts: &[&str]) -> Result<()> {
        let mut keys = Vec::new();
        for host in hosts {
            keys.push((*host, self.server.create_key(role, &format!("{role}-{host}"))?));
        }
        let (lab, binaries) = (self.lab, &self.binaries);
        let clients: Vec<Result<Tailscaled<'lab>>> = thread::scope(|scope| {
            let start = |(host, key)| scope.spawn(move || joined(lab, binaries, host, key));
            let starting: Vec<_> = keys.iter().map(|(host, key)| start((*host, key.as_path()))).collect();
            starting.into_iter().map(|one| one.join().map_err(|_| anyhow!("joining panicked"))?).collect()
        });
        for (host, client) in hosts.iter().zip(clients) {
            self.clients.insert((*host).to_owned(), client?);
        }
        Ok(())
    }

    /// Joins a client on `host` with the key in `key_file`.
    pub fn join_with(&mut self, host: &str, key_file: &Path) -> Result<()> {
        let client = joined(self.lab, &self.binaries, host, key_file)?;
        self.clients.insert(host.to_owned(), client);
        Ok(())
    }

    pub fn client(&self, host: &str) -> Result<&Tailscaled<'lab>> {
        self.clients.get(host).with_context(|| format!("no client on {host}"))
    }

    pub fn client_mut(&mut self, host: &str) -> Result<&mut Tailscaled<'lab>> {
        self.clients.get_mut(host).with_context(|| format!("no client on {host}"))
    }

    /// The client's IPv4 address in the mesh.
    pub fn ipv4(&self, host: &str) -> Result<String> {
        let addresses = self.client(host)?.addresses()?;
        addresses
            .into_iter()
            .find(|ip| ip.contains('.'))
            .with_context(|| format!("{host} has no IPv4 address"))
    }

    /// The client's IPv6 address in the mesh.
    pub fn ipv6(&self, host: &str) -> Result<String> {
        let addresses = self.client(host)?.addresses()?;
        addresses
            .into_iter()
            .find(|ip| ip.contains(':'))
            .with_context(|| format!("{host} has no IPv6 address"))
    }

    /// Waits until the client on `host` knows exactly these peers.
    pub fn await_peers(&self, host: &str, peers: &[&str]) -> Result<()> {
        self.await_peers_within(SETTLED, host, peers)
    }

    /// Waits at most `limit` until the client on `host` knows exactly these peers.
    pub fn await_peers_within(&self, limit: Duration, host: &str, peers: &[&str]) -> Result<()> {
        let (client, wanted) = (self.client(host)?, sorted(peers));
        until(limit, &format!("{host} to know {wanted:?}"), || {
            let known = client.peers()?;
            if known != wanted {
                bail!("{host} knows {known:?}");
            }
            Ok(Some(()))
        })
    }

    /// Waits until the server says of exactly these nodes that they are online.
    pub fn await_online(&self, hosts: &[&str], limit: Duration) -> Result<()> {
        let wanted = sorted(hosts);
        until(limit, &format!("{wanted:?} to be online"), || {
            let nodes = self.server.nodes()?;
            let online = nodes.iter().filter(|node| node["online"] == true);
            let mut names: Vec<_> =
                online.filter_map(|node| node["name"].as_str().map(str::to_owned)).collect();
            names.sort();
            if names != wanted {
                bail!("{names:?} are online");
            }
            Ok(Some(()))
        })
    }

    /// True when an ICMP echo to `target` (name or address) is answered. Gives two fresh clients the time to
    /// learn each other's home relay and to repeat a lost handshake.
    pub fn reaches(&self, host: &str, target: &str) -> Result<bool> {
        self.echo(host, target, "20")
    }

    /// True when no ICMP echo to `target` is answered for longer than a handshake takes to be repeated.
    pub fn is_cut_off(&self, host: &str, target: &str) -> Result<bool> {
        Ok(!self.echo(host, target, "7")?)
    }

    /// What must survive every restart of the server: who is who, since when, at which address.
    pub fn identities(&self) -> Result<BTreeMap<String, Value>> {
        const LASTING: [&str; 6] = ["id", "ipv4", "ipv6", "created", "machine_key", "node_key"];
        let mut identities = BTreeMap::new();
        for node in self.server.nodes()? {
            let name = node["name"].as_str().context("a node without name")?.to_owned();
            for field in LASTING {
                if node[field].is_null() {
                    bail!("node {name} has no {field}");
                }
                identities.insert(format!("{name} {field}"), node[field].clone());
            }
        }
        Ok(identities)
    }

    fn echo(&self, host: &str, target: &str, seconds: &str) -> Result<bool> {
        let words = ["ping", "-n", "-c", "1", "-i", "0.5", "-w", seconds, target];
        let output = self.lab.host(host)?.try_exec(&words, Duration::from_secs(40))?;
        Ok(output.success())
    }
}

fn joined<'lab>(lab: &'lab Lab, binaries: &Clients, host: &str, key: &Path) -> Result<Tailscaled<'lab>> {
    let client = Tailscaled::start(lab.host(host)?, binaries)?;
    client.up(SERVER_URL, key, host, &[]).with_context(|| format!("{host} does not join"))?;
    Ok(client)
}

/// Names in order, owned.
pub fn sorted(names: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    names.sort();
    names
}
