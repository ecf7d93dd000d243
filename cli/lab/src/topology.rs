//! The lab: a small internet, a server on it, four clients behind three routers.
//!
//! ```text
//!   srv 172.30.0.10 ──┬── 172.30.0.0/24, "the internet"
//!                     ├── r1 172.30.0.1 NAT ── 192.168.1.0/24 ── c1 .11, c2 .12
//!                     ├── r2 172.30.0.2 NAT ── 10.0.0.0/24 ───── c3 .13
//!                     └── r3 172.30.0.3 NAT ── 192.168.2.0/24 ── c4 .14     (drops all UDP)
//! ```
//!
//! The internet has private addresses on purpose: a client that is given `http://` and a private address dials
//! that port alone and never tries 443.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::command;
use crate::host::Host;
use crate::prerequisites::prerequisites;

/// Start of the name of every lab's folder; the number of the process that made it follows.
const FOLDER: &str = "meshctl-lab-";
const SWITCHES: &str = "switches";

struct Lan {
    router: &'static str,
    wan: &'static str,
    gateway: &'static str,
    clients: &'static [(&'static str, &'static str)],
    udp: bool,
}

const LANS: [Lan; 3] = [
    Lan {
        router: "r1",
        wan: "172.30.0.1",
        gateway: "192.168.1.1",
        clients: &[("c1", "192.168.1.11"), ("c2", "192.168.1.12")],
        udp: true,
    },
    Lan { router: "r2", wan: "172.30.0.2", gateway: "10.0.0.1", clients: &[("c3", "10.0.0.13")], udp: true },
    Lan {
        router: "r3",
        wan: "172.30.0.3",
        gateway: "192.168.2.1",
        clients: &[("c4", "192.168.2.14")],
        udp: false,
    },
];
const SERVER: (&str, &str) = ("srv", "172.30.0.10");

/// The running lab. Dropping it ends all processes on its hosts and leaves nothing behind; when that happens
/// because a test failed, the ends of all logs go to standard error first.
#[derive(Debug)]
pub struct Lab {
    // hosts go before the folder that holds their files
    hosts: BTreeMap<&'static str, Host>,
    dir: TempDir,
}

impl Lab {
    /// Starts all hosts, wired and routed. Takes about a second; needs root.
    pub fn start() -> Result<Self> {
        prerequisites()?;
        sweep(&std::env::temp_dir());
        let dir = tempfile::Builder::new().prefix(&format!("{FOLDER}{}-", std::process::id())).tempdir()?;
        let lab = Self { hosts: hosts(dir.path())?, dir };
        lab.wire()?;
        Ok(lab)
    }

    /// One of `srv`, `r1` to `r3`, `c1` to `c4`.
    pub fn host(&self, name: &str) -> Result<&Host> {
        self.hosts.get(name).with_context(|| format!("the lab has no host {name}"))
    }

    /// Folder of the lab, for files that several hosts share.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// UDP packets of `c4` that its firewall has dropped so far.
    pub fn dropped_udp(&self) -> Result<u64> {
        let rules = self.host("r3")?.exec(&["nft", "list", "chain", "inet", "fw", "forward"])?.stdout;
        let count = rules.split("counter packets ").nth(1).and_then(|rest| rest.split_whitespace().next());
        count.context("r3 has no counter")?.parse().context("r3 counts in no number")
    }

    fn wire(&self) -> Result<()> {
        let switches = self.host(SWITCHES)?;
        add_switch(switches, "internet")?;
        plug(switches, "internet", self.host(SERVER.0)?, "eth0", SERVER.1)?;
        for lan in &LANS {
            let (router, switch) = (self.host(lan.router)?, format!("lan-{}", lan.router));
            add_switch(switches, &switch)?;
            plug(switches, "internet", router, "wan", lan.wan)?;
            plug(switches, &switch, router, "lan", lan.gateway)?;
            router.exec(&["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])?;
            router.feed(&["nft", "-f", "-"], &firewall(lan.udp))?;
            for (name, address) in lan.clients {
                let client = self.host(name)?;
                plug(switches, &switch, client, "eth0", address)?;
                client.exec(&["ip", "route", "add", "default", "via", lan.gateway])?;
            }
        }
        Ok(())
    }

    fn tell_logs(&self) {
        for host in self.hosts.values() {
            for (file, end) in log_ends(host.dir()) {
                let _ = writeln!(std::io::stderr(), "---- {} {file}\n{end}", host.name());
            }
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if thread::panicking() {
            self.tell_logs();
        }
    }
}

/// All hosts, without wires. They start side by side.
fn hosts(dir: &Path) -> Result<BTreeMap<&'static str, Host>> {
    let clients = LANS.iter().flat_map(|lan| lan.clients.iter().map(|client| client.0));
    let names = [SWITCHES, SERVER.0].into_iter().chain(LANS.iter().map(|lan| lan.router)).chain(clients);
    thread::scope(|scope| {
        let starting = names.map(|name| (name, scope.spawn(move || Host::new(name, dir.join(name)))));
        let starting: Vec<_> = starting.collect();
        let started = starting.into_iter().map(|(name, thread)| {
            let host = thread.join().map_err(|_| anyhow!("starting {name} panicked"))??;
            Ok((name, host))
        });
        started.collect()
    })
}

fn add_switch(switches: &Host, switch: &str) -> Result<()> {
    switches.exec(&["ip", "link", "add", "name", switch, "type", "bridge"])?;
    switches.exec(&["ip", "link", "set", switch, "up"]).map(drop)
}

/// A cable from `host`'s new interface to `switch`, and the address on it.
fn plug(switches: &Host, switch: &str, host: &Host, interface: &str, address: &str) -> Result<()> {
    let port = format!("{}-{interface}", host.name());
    // `ip` names the other end's network by a process number, and inside a host the numbers are its own: network only
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{}/ns/net", switches.first()));
    command.args(["ip", "link", "add", &port, "type", "veth", "peer", "name", interface, "netns"]);
    command.arg(host.first().to_string());
    command::run(command, "", Duration::from_secs(10))?.ok()?;
    switches.exec(&["ip", "link", "set", &port, "master", switch, "up"])?;
    host.exec(&["ip", "address", "add", &format!("{address}/24"), "dev", interface])?;
    host.exec(&["ip", "link", "set", interface, "up"]).map(drop)
}

/// A home router: answers nobody outside, forwards what was asked from inside, keeps source ports where it can.
fn firewall(udp: bool) -> String {
    let drop_udp = if udp { "" } else { "meta l4proto udp counter drop" };
    format!(
        r#"table ip nat {{
  chain post {{
    type nat hook postrouting priority srcnat;
    oifname "wan" masquerade
  }}
}}
table inet fw {{
  chain input {{
    type filter hook input priority filter; policy accept;
    ct state established,related accept
    iifname "wan" drop
  }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
    {drop_udp}
    ct state established,related accept
    iifname "lan" oifname "wan" accept
  }}
}}
"#
    )
}

/// Removes the folders of labs whose makers were killed. Their hosts are gone already.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix(FOLDER)?.split('-').next()?.parse().ok());
        if maker.is_some_and(|maker| kill(Pid::from_raw(maker), None).is_err()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Name and last lines of every log in a host's folder.
fn log_ends(dir: &Path) -> Vec<(String, String)> {
    const LINES: usize = 40;
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let logs = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"));
    logs.filter_map(|path| {
        let text = String::from_utf8_lossy(&fs::read(&path).ok()?).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let end = lines[lines.len().saturating_sub(LINES)..].join("\n");
        (!end.is_empty()).then(|| (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), end))
    })
    .collect()
}
