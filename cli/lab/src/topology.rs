//! The lab: hosts, wired and routed as a plan says.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::command;
use crate::host::Host;
use crate::plan::{HOMES, Place, Plan, SERVER, SWITCHES};
use crate::prerequisites::prerequisites;
use crate::server::{RELAY_PORT, SERVER_PORT};

/// Start of the name of every lab's folder; the number of the process that made it follows.
const FOLDER: &str = "meshctl-lab-";
/// What a story puts in the way of others, on a router; gone again with one word.
const CUT: &str = "cut";

/// The running lab. Dropping it ends all processes on its hosts and leaves nothing behind, unless it is kept; when that
/// happens because a test failed, the ends of all logs go to standard error first.
#[derive(Debug)]
pub struct Lab {
    // hosts go before the folder that holds their files
    hosts: BTreeMap<&'static str, Host>,
    plan: Plan,
    dir: Folder,
}

#[derive(Debug)]
enum Folder {
    Own(TempDir),
    Kept(PathBuf),
}

impl Lab {
    /// Starts all hosts, wired and routed. Takes about a second; needs root.
    pub fn start() -> Result<Self> {
        prerequisites()?;
        sweep(&std::env::temp_dir());
        let dir = tempfile::Builder::new().prefix(&format!("{FOLDER}{}-", std::process::id())).tempdir()?;
        let lab = Self { hosts: hosts(HOMES, dir.path(), None)?, plan: HOMES, dir: Folder::Own(dir) };
        lab.wire()?;
        Ok(lab)
    }

    /// The same after another plan, in a folder that stays, with hosts that outlive this program and carry `mark`.
    pub(crate) fn start_kept(plan: Plan, dir: &Path, mark: &str) -> Result<Self> {
        let lab = Self { hosts: hosts(plan, dir, Some(mark))?, plan, dir: Folder::Kept(dir.to_owned()) };
        lab.wire()?;
        Ok(lab)
    }

    /// A lab that another program has started: its hosts by the numbers of their holders.
    pub(crate) fn found(plan: Plan, dir: &Path, holders: &BTreeMap<String, u32>) -> Result<Self> {
        let found = |name: &'static str| {
            let holder = holders.get(name).with_context(|| format!("host {name} is gone"))?;
            Ok((name, Host::found(name, dir.join(name), *holder)?))
        };
        let hosts = plan.names().into_iter().map(found).collect::<Result<_>>()?;
        Ok(Self { hosts, plan, dir: Folder::Kept(dir.to_owned()) })
    }

    /// A host of the plan: `srv`, the routers, the clients.
    pub fn host(&self, name: &str) -> Result<&Host> {
        self.hosts.get(name).with_context(|| format!("the lab has no host {name}"))
    }

    /// Folder of the lab, for files that several hosts share.
    pub fn dir(&self) -> &Path {
        match &self.dir {
            Folder::Own(dir) => dir.path(),
            Folder::Kept(dir) => dir,
        }
    }

    /// Where its hosts stand.
    pub fn plan(&self) -> Plan {
        self.plan
    }

    /// Pulls the cable of a home's host out of its switch.
    pub fn unplug(&self, host: &str) -> Result<()> {
        self.switches()?.exec(&["ip", "link", "set", &format!("{host}-eth0"), "down"]).map(drop)
    }

    /// Puts the cable back.
    pub fn plug(&self, host: &str) -> Result<()> {
        self.switches()?.exec(&["ip", "link", "set", &format!("{host}-eth0"), "up"]).map(drop)
    }

    /// Has a router do to forwarded packets what these rules of nft say, before all else. Replaces what was there.
    pub fn cut(&self, router: &str, rules: &str) -> Result<()> {
        self.mend(router)?;
        let table = format!(
            "table inet {CUT} {{ chain forward {{ type filter hook forward priority -10; policy accept;\n{rules}\n}}\n}}\n"
        );
        self.host(router)?.feed(&["nft", "-f", "-"], &table).map(drop)
    }

    /// Takes back what was cut on a router.
    pub fn mend(&self, router: &str) -> Result<()> {
        let clean = format!("table inet {CUT} {{}}\ndelete table inet {CUT}\n");
        self.host(router)?.feed(&["nft", "-f", "-"], &clean).map(drop)
    }

    /// The host that sees every frame on every wire.
    pub fn switches(&self) -> Result<&Host> {
        self.host(SWITCHES)
    }

    /// Has the firewall in the cables of fenced hosts keep back what it counts, or let it pass.
    pub fn fence(&self, shut: bool) -> Result<()> {
        let fenced = self.plan.lans.iter().flat_map(|lan| lan.hosts).filter(|place| place.fenced);
        let rules: String = fenced.map(|place| fence(place.name, shut)).collect();
        let clean = "table netdev fence {}\ndelete table netdev fence\n";
        self.switches()?.feed(&["nft", "-f", "-"], &format!("{clean}{rules}")).map(drop)
    }

    /// UDP packets of the fenced host that its firewall has met so far.
    pub fn fenced_udp(&self) -> Result<u64> {
        let rules = self.switches()?.exec(&["nft", "list", "table", "netdev", "fence"])?.stdout;
        counted(&rules).context("the fence counts nothing")
    }

    /// UDP packets of `c4` that its firewall has dropped so far.
    pub fn dropped_udp(&self) -> Result<u64> {
        let rules = self.host("r3")?.exec(&["nft", "list", "chain", "inet", "fw", "forward"])?.stdout;
        counted(&rules).context("r3 counts nothing")
    }

    fn wire(&self) -> Result<()> {
        let switches = self.switches()?;
        add_switch(switches, "internet")?;
        plug(switches, "internet", self.host(SERVER.0)?, "eth0", SERVER.1)?;
        for lan in self.plan.lans {
            let (router, switch) = (self.host(lan.router)?, format!("lan-{}", lan.router));
            add_switch(switches, &switch)?;
            plug(switches, "internet", router, "wan", lan.wan)?;
            plug(switches, &switch, router, "lan", lan.gateway)?;
            router.exec(&["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])?;
            router.feed(&["nft", "-f", "-"], &firewall(lan.udp))?;
            for Place { name, address, .. } in lan.hosts {
                let client = self.host(name)?;
                plug(switches, &switch, client, "eth0", address)?;
                client.exec(&["ip", "route", "add", "default", "via", lan.gateway])?;
            }
        }
        self.fence(true)
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
fn hosts(plan: Plan, dir: &Path, mark: Option<&str>) -> Result<BTreeMap<&'static str, Host>> {
    let start = |name: &'static str| {
        let mark = mark.map(|mark| format!("{mark}:{name}"));
        Host::new(name, dir.join(name), mark.as_deref())
    };
    let start = &start;
    thread::scope(|scope| {
        let names = plan.names().into_iter();
        let starting = names.map(|name| (name, scope.spawn(move || start(name))));
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
    command::run(command, "", Duration::from_secs(60))?.ok()?;
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

/// A firewall in the cable of a host: it sees what the host sends. Without UDP no path but the relay is left.
fn fence(host: &str, shut: bool) -> String {
    let verdict = if shut { "drop" } else { "accept" };
    format!(
        r#"table netdev fence {{
  chain {host} {{
    type filter hook ingress device "{host}-eth0" priority 0; policy accept;
    meta l4proto udp counter {verdict}
    tcp flags & (syn|ack) == syn tcp dport != {{ {SERVER_PORT}, {RELAY_PORT} }} {verdict}
  }}
}}
"#
    )
}

/// The first counter in a list of rules.
fn counted(rules: &str) -> Option<u64> {
    rules.split("counter packets ").nth(1)?.split_whitespace().next()?.parse().ok()
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
