//! A host: its own network, mounts, process ids and name.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::command::{self, Output};
use crate::process::{Process, only_child};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Folder of the host's own programs.
pub(crate) const TOOLS: &str = "/run/tools";
/// Far more than a command on an idle machine needs.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// Runs as the first process of the host. `/run` and `/etc` are the host's own: a client that rewrites
/// `/etc/resolv.conf` or looks for the system's D-Bus meets nothing of the machine below. A lab's folder below
/// `/run` is seen in the new one too; the table of mounts lies in the old one, hence `-n`.
const FIRST_PROCESS: &str = r#"
set -eu
mount -t tmpfs -o size=64m,mode=755 tmpfs /mnt
lab=${2%/*}
case $lab in
/run/*) mkdir -p "/mnt/${lab#/run/}" && mount --bind "$lab" "/mnt/${lab#/run/}" ;;
esac
mount -n --move /mnt /run
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
[ "$3" = kept ] && exec sleep infinity >/dev/null 2>&1
exec cat >/dev/null
"#;

/// One host of a lab. Dropping it ends every process on it and takes its interfaces away, unless it is kept.
#[derive(Debug)]
pub struct Host {
    name: String,
    dir: PathBuf,
    holder: Holder,
    first: i32,
}

/// The process whose end is the host's.
#[derive(Debug)]
enum Holder {
    /// Lives as long as this program.
    Own(Child),
    /// Outlives it, by its number.
    Kept(u32),
}

impl Host {
    /// A host without any interface but loopback. `dir` is made for its logs and state.
    /// With a `mark` it outlives this program and is found again by the mark, a word in its holder's command line.
    pub(crate) fn new(name: &str, dir: PathBuf, mark: Option<&str>) -> Result<Self> {
        fs::create_dir_all(&dir)?;
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--pid", "--uts", "--fork", "--mount-proc", "--kill-child"]);
        command.args(["sh", "-c", FIRST_PROCESS, mark.unwrap_or("sh"), name]).arg(&dir);
        command.arg(if mark.is_some() { "kept" } else { "own" }).process_group(0);
        command.stdin(if mark.is_some() { Stdio::null() } else { Stdio::piped() });
        command.stdout(Stdio::piped()).stderr(File::create(dir.join("host.log"))?);
        let mut holder = command.spawn().context("cannot start `unshare`")?;
        let ready = await_ready(&mut holder).with_context(|| {
            let log = fs::read_to_string(dir.join("host.log")).unwrap_or_default();
            format!("host {name} did not start: {log}")
        });
        let holder = if mark.is_some() { Holder::Kept(holder.id()) } else { Holder::Own(holder) };
        let mut host = Self { name: name.to_owned(), dir, holder, first: 0 };
        ready?;
        host.first = only_child(host.holder())?;
        Ok(host)
    }

    /// A kept host, by the number of its holder.
    pub(crate) fn found(name: &str, dir: PathBuf, holder: u32) -> Result<Self> {
        let first = only_child(holder)?;
        Ok(Self { name: name.to_owned(), dir, holder: Holder::Kept(holder), first })
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

    /// A command for the host, not yet started, with this program's own streams.
    pub fn prepared(&self, words: &[&str]) -> Result<Command> {
        self.command(words)
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

    /// The process `name` that an earlier program started here and kept, if it is still there.
    pub fn process(&self, name: &str) -> Result<Option<Process>> {
        Process::found(format!("{name} on {}", self.name), self.dir.join(format!("{name}.log")))
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
        let wanted = hexadecimal(address, port);
        self.any_tcp(|local, _, state| local == wanted && state == "0A")
    }

    /// True when a TCP connection of the host to `address`:`port` (IPv4) stands.
    pub fn is_connected(&self, address: std::net::Ipv4Addr, port: u16) -> Result<bool> {
        let wanted = hexadecimal(address, port);
        self.any_tcp(|_, remote, state| remote == wanted && state == "01")
    }

    /// True when any socket of the host's TCP has these ends and this state, as the kernel writes them.
    fn any_tcp(&self, is: impl Fn(&str, &str, &str) -> bool) -> Result<bool> {
        let table = fs::read_to_string(format!("/proc/{}/net/tcp", self.first))?;
        Ok(table.lines().skip(1).any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let mut next = || fields.next().unwrap_or_default();
            is(next(), next(), next())
        }))
    }

    /// Ends every process on the host but its first, or those alone that have `mark` in their environment. They are
    /// known by the host's numbering of processes, so that one of the machine can never be among them.
    pub(crate) fn end_processes(&self, mark: Option<(&str, &str)>) -> Result<()> {
        let mark = mark.map(|(name, value)| format!("{name}={value}").into_bytes());
        let marked = |pid: i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            mark.as_ref().is_none_or(|mark| environment.split(|byte| *byte == 0).any(|entry| entry == mark))
        };
        let numbering = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let Some(own) = numbering(self.first) else { bail!("host {} has ended", self.name) };
        if numbering(std::process::id().cast_signed()).is_none_or(|machine| machine == own) {
            bail!("host {} has no processes of its own", self.name);
        }
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if pid != self.first && numbering(pid).as_ref() == Some(&own) && marked(pid) {
                // it may be gone since it was seen
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        Ok(())
    }

    /// Number of the first process, by which `ip link` finds the host's network.
    pub(crate) fn first(&self) -> i32 {
        self.first
    }

    fn holder(&self) -> u32 {
        match &self.holder {
            Holder::Own(child) => child.id(),
            Holder::Kept(number) => *number,
        }
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        let [program, arguments @ ..] = words else { bail!("no command") };
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first.to_string(), "--net", "--mount", "--pid", "--uts", "--"]);
        command.arg(program).args(arguments);
        command.env_clear().env("PATH", format!("{TOOLS}:{PATH}")).env("LC_ALL", "C").env("HOME", &self.dir);
        Ok(command)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let Holder::Own(holder) = &mut self.holder else { return };
        // the end of its input ends the first process, and the kernel ends the rest with it
        drop(holder.stdin.take());
        if !matches!(command::wait(holder, Duration::from_secs(5)), Ok(Some(_))) {
            let _ = holder.kill();
            let _ = holder.wait();
        }
    }
}

/// An address and port as the kernel's tables have them.
fn hexadecimal(address: std::net::Ipv4Addr, port: u16) -> String {
    format!("{:08X}:{port:04X}", u32::from_ne_bytes(address.octets()))
}

fn await_ready(holder: &mut Child) -> Result<()> {
    let stdout = holder.stdout.take().context("no output")?;
    let mut line = String::new();
    // the script either says its word or ends, and with it this stream
    BufReader::new(stdout).read_line(&mut line)?;
    if line.trim() != "ready" {
        bail!("the first process ended");
    }
    Ok(())
}
