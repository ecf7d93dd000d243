//! What stories work with: the hosts of an acceptance lab, its server, its members, and a spare host.

mod capture;
mod http;
mod names;
mod pings;
mod restore;
mod web;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;

use crate::host::{Host, TOOLS};
use crate::kept::Tools;
use crate::patience::until;
use crate::plan::SERVER;
use crate::prerequisites::Clients;
use crate::server::{SERVER_URL, Server};
use crate::tailscaled::{self, Tailscaled};
use crate::topology::Lab;

pub use capture::{Capture, Seen};
pub use names::NO_ERROR;
pub use pings::{PingStream, Sum};
pub use web::Web;

/// The clients that are in the mesh.
pub const MEMBERS: [&str; 3] = ["a", "b", "c"];
/// The host that comes and goes.
pub const SPARE: &str = "spare";
/// How long a change may take to arrive at every client.
pub const SETTLED: Duration = Duration::from_secs(30);
/// In the environment of what a story starts on a host, so that one that was ended can be tidied up after.
const OF_A_STORY: (&str, &str) = ("MESHCTL_LAB", "story");
/// The domain of the mesh.
const DOMAIN: &str = "mesh.internal";

const POLICY: &str = r#"{
  "tagOwners": {"tag:node": []},
  "acls": [{"action": "accept", "src": ["tag:node"], "dst": ["tag:node:*"]}],
}
"#;
const ROLES: &str = "roles:\n  - {name: node, tags: [tag:node], description: a host of the lab}\n";

/// The lab with its server and clients.
pub struct Bench<'lab> {
    pub lab: &'lab Lab,
    pub server: Server<'lab>,
    members: BTreeMap<&'static str, Tailscaled<'lab>>,
    tools: Tools,
}

impl<'lab> Bench<'lab> {
    /// Starts the server and all members on a fresh lab, and joins them.
    pub(crate) fn start(lab: &'lab Lab, tools: &Tools, say: &dyn Fn(&str)) -> Result<Self> {
        say("control server");
        let server = Server::start(lab.host(SERVER.0)?, &tools.meshctl)?;
        server.set_policy(POLICY)?;
        server.apply_roles(ROLES)?;
        furnish(lab, tools)?;
        say("clients");
        let mut members = BTreeMap::new();
        for host in MEMBERS {
            members.insert(host, Tailscaled::start(lab.host(host)?, &tools.clients)?);
        }
        let bench = Self { lab, server, members, tools: tools.clone() };
        say("joining");
        bench.join_all()?;
        bench.await_mesh(SETTLED)?;
        Ok(bench)
    }

    /// The bench of a lab that is up. What has died is started again.
    pub(crate) fn found(lab: &'lab Lab, tools: &Tools) -> Result<Self> {
        let server = Server::found(lab.host(SERVER.0)?, &tools.meshctl)?;
        let mut members = BTreeMap::new();
        for host in MEMBERS {
            members.insert(host, Tailscaled::found(lab.host(host)?, &tools.clients)?);
        }
        Ok(Self { lab, server, members, tools: tools.clone() })
    }

    /// Lets server and clients outlive this program.
    pub(crate) fn keep(&mut self) -> Result<()> {
        self.server.keep()?;
        self.members.values_mut().try_for_each(Tailscaled::keep)
    }

    pub fn host(&self, name: &str) -> Result<&'lab Host> {
        self.lab.host(name)
    }

    pub fn member(&self, name: &str) -> Result<&Tailscaled<'lab>> {
        self.members.get(name).with_context(|| format!("{name} is no member"))
    }

    pub(crate) fn member_mut(&mut self, name: &str) -> Result<&mut Tailscaled<'lab>> {
        self.members.get_mut(name).with_context(|| format!("{name} is no member"))
    }

    pub(crate) fn older(&self) -> Option<&Clients> {
        self.tools.older.as_ref()
    }

    pub(crate) fn clients(&self) -> &Clients {
        &self.tools.clients
    }

    /// Joins every member with a key of its own, side by side.
    pub(crate) fn join_all(&self) -> Result<()> {
        let mut keys = Vec::new();
        for (host, client) in &self.members {
            keys.push((*host, client, self.server.create_key("node", host)?));
        }
        thread::scope(|scope| {
            let join = |(host, client, key)| scope.spawn(move || joined(client, host, key));
            let joining: Vec<_> =
                keys.iter().map(|(host, client, key)| join((*host, *client, key.as_path()))).collect();
            joining.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow!("joining panicked"))?)
        })
    }

    /// Waits until the server has every member online and each member knows the others.
    pub(crate) fn await_mesh(&self, limit: Duration) -> Result<()> {
        until(limit, "all members to be online and to know each other", || {
            for host in MEMBERS {
                ensure!(self.server.node(host)?["online"] == true, "{host} is not online");
                let known = self.member(host)?.peers()?;
                let missing =
                    MEMBERS.iter().find(|other| **other != host && !known.iter().any(|k| k == *other));
                ensure!(missing.is_none(), "{host} knows {known:?}");
            }
            Ok(Some(()))
        })
    }

    /// A fresh client on the spare host, joined under `hostname`. It ends with this value.
    pub(crate) fn spare(&self, hostname: &str) -> Result<Tailscaled<'lab>> {
        self.spare_of(self.clients(), hostname)
    }

    /// The same with other programs.
    pub(crate) fn spare_of(&self, clients: &Clients, hostname: &str) -> Result<Tailscaled<'lab>> {
        let host = self.host(SPARE)?;
        Tailscaled::forget(host)?;
        let key = self.server.create_key("node", SPARE)?;
        let client = Tailscaled::start(host, clients)?;
        joined(&client, hostname, &key)?;
        Ok(client)
    }

    /// Ends the spare's client and takes its node off the server's list.
    pub(crate) fn retire(&self, mut spare: Tailscaled<'lab>) -> Result<()> {
        let address = ipv4_of(&spare);
        spare.kill()?;
        Tailscaled::forget(spare.host())?;
        let address = address?.to_string();
        let known = self.server.nodes()?.into_iter().find(|node| node["ipv4"] == address);
        known.map_or(Ok(()), |node| self.delete(&node))
    }

    pub(crate) fn delete(&self, node: &Value) -> Result<()> {
        let id = &node["id"];
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        self.server.meshctl(&["node", "delete", &id]).map(drop)
    }

    /// A member's address in the mesh.
    pub(crate) fn ipv4(&self, member: &str) -> Result<Ipv4Addr> {
        ipv4_of(self.member(member)?)
    }

    /// A host's address beside the mesh.
    pub(crate) fn outside(&self, host: &str) -> Result<Ipv4Addr> {
        let address = self.lab.plan().address(host).with_context(|| format!("{host} is nowhere"))?;
        Ok(address.parse()?)
    }

    /// True when an echo to `target` is answered within `seconds`.
    pub(crate) fn reaches(&self, from: &str, target: Ipv4Addr, seconds: u32) -> Result<bool> {
        let (target, seconds) = (target.to_string(), seconds.to_string());
        let words = ["ping", "-n", "-c", "1", "-i", "0.5", "-w", &seconds, &target];
        Ok(self.host(from)?.try_exec(&words, Duration::from_secs(60))?.success())
    }

    /// An error unless an echo to `target` is answered. Gives two fresh clients the time to find a path.
    pub(crate) fn must_reach(&self, from: &str, target: Ipv4Addr) -> Result<()> {
        ensure!(self.reaches(from, target, 20)?, "{from} does not reach {target}");
        Ok(())
    }

    /// Waits until the node with this address is (or is not) online, as the operator sees it.
    pub(crate) fn await_online(&self, address: Ipv4Addr, online: bool, limit: Duration) -> Result<()> {
        let (address, word) = (address.to_string(), if online { "online" } else { "offline" });
        until(limit, &format!("{address} to be {word}"), || {
            let node = self.server.nodes()?.into_iter().find(|node| node["ipv4"] == address);
            let node = node.with_context(|| format!("no node has {address}"))?;
            Ok((node["online"] == online).then_some(()))
        })
    }

    /// Waits until a member no longer knows (or knows again) a peer by this address.
    pub(crate) fn await_peer(
        &self,
        member: &str,
        peer: Ipv4Addr,
        known: bool,
        limit: Duration,
    ) -> Result<()> {
        let peer = peer.to_string();
        until(limit, &format!("{member} to {} {peer}", if known { "know" } else { "forget" }), || {
            let status = self.member(member)?.status()?;
            let mut peers = status["Peer"].as_object().into_iter().flat_map(|peers| peers.values());
            let found = peers
                .any(|p| p["TailscaleIPs"].as_array().is_some_and(|ips| ips.iter().any(|ip| *ip == peer)));
            Ok((found == known).then_some(()))
        })
    }
}

/// The IPv4 address of a client in the mesh.
pub(crate) fn ipv4_of(client: &Tailscaled<'_>) -> Result<Ipv4Addr> {
    let addresses = client.addresses()?;
    let Some(address) = addresses.iter().find_map(|ip| ip.parse().ok()) else {
        bail!("{} has no IPv4 address", client.host().name());
    };
    Ok(address)
}

/// All ordered pairs of members.
pub(crate) fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    MEMBERS.iter().flat_map(|from| MEMBERS.iter().filter(move |to| *to != from).map(|to| (*from, *to)))
}

fn joined(client: &Tailscaled<'_>, hostname: &str, key: &Path) -> Result<()> {
    client.up(SERVER_URL, key, hostname, &[]).with_context(|| format!("{hostname} does not join"))
}

/// Programs on the hosts that know where they are: `tailscale` on clients, `meshctl` on the server.
fn furnish(lab: &Lab, tools: &Tools) -> Result<()> {
    let tailscale = tools.clients.tailscale.display();
    for name in MEMBERS.into_iter().chain([SPARE]) {
        let host = lab.host(name)?;
        let script = format!(
            "#!/bin/sh\nexec '{tailscale}' --socket='{}' \"$@\"\n",
            tailscaled::socket(host).display()
        );
        install(host, "tailscale", &script)?;
    }
    let host = lab.host(SERVER.0)?;
    let (meshctl, socket) = (tools.meshctl.display(), crate::server::socket(host));
    install(host, "meshctl", &format!("#!/bin/sh\nexec '{meshctl}' --socket '{}' \"$@\"\n", socket.display()))
}

fn install(host: &Host, name: &str, script: &str) -> Result<()> {
    let place = format!("mkdir -p {TOOLS} && cat >{TOOLS}/{name} && chmod 755 {TOOLS}/{name}");
    host.feed(&["sh", "-c", &place], script).map(drop)
}
