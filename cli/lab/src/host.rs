//! A host: its own network, mounts, process ids and name.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns};

use crate::command::{self, Output};
use crate::process::{Process, only_child};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Far more than a command on an idle machine needs.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// Runs as the first process of the host. `/run` and `/etc` are the host's own: a client that rewrites
/// `/etc/resolv.conf` or looks for the system's D-Bus meets nothing of the machine below.
const FIRST_PROCESS: &str = r#"
set -eu
mount -t tmpfs -o size=64m,mode=755 tmpfs /run
mkdir /run/etc /run/etc-work /run/lock
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/etc-work /etc
mount -t sysfs sysfs /sys
rm -f /etc/resolv.conf /etc/nsswitch.conf /etc/hosts
: >/etc/resolv.conf
echo 'hosts: files dns' >/etc/nsswitch.conf
echo "127.0.0.1 localhost $1" >/etc/hosts
echo "$1" >/proc/sys/kernel/hostname
ip link set lo up
echo ready
exec cat >/dev/null
"#;

/// One host of a lab. Dropping it ends every process on it and takes its interfaces away.
#[derive(Debug)]
pub struct Host {
    name: String,
    dir: PathBuf,
    holder: Child,
    first: i32,
}

impl Host {
    /// A host without any interface but loopback. `dir` is made for its logs and state.
    pub(crate) fn new(name: &str, dir: PathBuf) -> Result<Self> {
        fs::create_dir_all(&dir)?;
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--pid", "--uts", "--fork", "--mount-proc", "--kill-child"]);
        command.args(["sh", "-c", FIRST_PROCESS, "sh", name]).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(dir.join("host.log"))?);
        let holder = command.spawn().context("cannot start `unshare`")?;
        let mut host = Self { name: name.to_owned(), dir, holder, first: 0 };
        host.await_ready().with_context(|| {
            let log = fs::read_to_string(host.dir.join("host.log")).unwrap_or_default();
            format!("host {name} did not start: {log}")
        })?;
        host.first = only_child(host.holder.id())?;
        Ok(host)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The host's folder for logs and state, visible on the host and outside under the same path.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs a command on the host, at most half a minute. An error unless it succeeds.
    pub fn exec(&self, words: &[&str]) -> Result<Output> {
        self.try_exec(words, COMMAND_LIMIT)?.ok()
    }

    /// Runs a command on the host; its failure is the caller's to judge, taking longer than `limit` is an error.
    pub fn try_exec(&self, words: &[&str], limit: Duration) -> Result<Output> {
        command::run(self.command(words)?, "", limit)
    }

    /// Runs a command with `input` on its standard input. An error unless it succeeds.
    pub fn feed(&self, words: &[&str], input: &str) -> Result<Output> {
        command::run(self.command(words)?, input, COMMAND_LIMIT)?.ok()
    }

    /// Starts a command that stays. Both its streams are appended to `NAME.log` in the host's folder.
    pub fn spawn(&self, name: &str, words: &[&str], env: &[(&str, &str)]) -> Result<Process> {
        let log = self.dir.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        let mut command = self.command(words)?;
        command.envs(env.iter().copied());
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start {name} on {}", self.name))?;
        Ok(Process::new(format!("{name} on {}", self.name), child, log))
    }

    /// Runs `work` on a thread that uses the host's network: sockets it opens are the host's.
    pub fn in_network<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let network = File::open(format!("/proc/{}/ns/net", self.first))?;
        std::thread::scope(|scope| {
            let worker = scope.spawn(move || setns(network, CloneFlags::CLONE_NEWNET).map(|()| work()));
            match worker.join() {
                Ok(done) => done.with_context(|| format!("cannot enter the network of {}", self.name)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// True when something on the host listens for TCP at `address`:`port` (IPv4).
    pub fn listens(&self, address: std::net::Ipv4Addr, port: u16) -> Result<bool> {
        let wanted = format!("{:08X}:{port:04X}", u32::from_ne_bytes(address.octets()));
        let table = fs::read_to_string(format!("/proc/{}/net/tcp", self.first))?;
        Ok(table.lines().skip(1).any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            fields.next() == Some(wanted.as_str()) && fields.nth(1) == Some("0A")
        }))
    }

    /// Number of the first process, by which `ip link` finds the host's network.
    pub(crate) fn first(&self) -> i32 {
        self.first
    }

    fn await_ready(&mut self) -> Result<()> {
        let stdout = self.holder.stdout.take().context("no output")?;
        let mut line = String::new();
        // the script either says its word or ends, and with it this stream
        BufReader::new(stdout).read_line(&mut line)?;
        if line.trim() != "ready" {
            bail!("the first process ended");
        }
        Ok(())
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        let [program, arguments @ ..] = words else { bail!("no command") };
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first.to_string(), "--net", "--mount", "--pid", "--uts", "--"]);
        command.arg(program).args(arguments);
        command.env_clear().env("PATH", PATH).env("LC_ALL", "C").env("HOME", &self.dir);
        Ok(command)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // the end of its input ends the first process, and the kernel ends the rest with it
        drop(self.holder.stdin.take());
        if !matches!(command::wait(&mut self.holder, Duration::from_secs(5)), Ok(Some(_))) {
            let _ = self.holder.kill();
            let _ = self.holder.wait();
        }
    }
}
