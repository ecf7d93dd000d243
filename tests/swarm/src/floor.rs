//! `swarm floor`: the least a program can do for the loads of `swarm stun` and `swarm relay`, and for a stream that is
//! held open. It is no server: nobody is kept out, nothing is limited or counted. What a server costs above it is what the
//! server adds of its own.

pub mod http2;
mod relay;
mod runs;
mod stun;
mod tunnel;

use std::{
    convert::Infallible,
    io::{Write, stdout},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use nix::sys::{prctl::set_pdeathsig, signal::Signal};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

const READY_WITHIN: Duration = Duration::from_secs(10);

/// Which load is served.
#[derive(Args)]
pub struct FloorArgs {
    #[arg(value_enum)]
    pub load: Load,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Load {
    /// Answers address questions, up to 64 with two calls of the kernel
    Stun,
    /// Passes packets on: TLS, TCP and one table lookup
    Relay,
    /// Holds a stream open on each connection: the HTTP/2 library by itself
    Http2,
}

/// Where it serves; one line of JSON as soon as it does.
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    address: SocketAddr,
    pid: u32,
}

/// Serves on loopback, with one thread, until the process is told to end or its parent has ended.
pub fn run(args: &FloorArgs) -> Result<Infallible> {
    set_pdeathsig(Signal::SIGTERM).context("an end with the parent's")?;
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    match args.load {
        Load::Stun => {
            let socket = UdpSocket::bind(anywhere)?;
            tell(socket.local_addr()?)?;
            stun::serve(&socket)
        }
        Load::Relay => {
            let door = TcpListener::bind(anywhere)?;
            tell(door.local_addr()?)?;
            relay::serve(door)
        }
        Load::Http2 => {
            let door = TcpListener::bind(anywhere)?;
            tell(door.local_addr()?)?;
            http2::serve(door)
        }
    }
}

fn tell(address: SocketAddr) -> Result<()> {
    let mut out = stdout().lock();
    serde_json::to_writer(&mut out, &Ready { address, pid: std::process::id() })?;
    writeln!(out)?;
    Ok(out.flush()?)
}

/// One that runs. Dropping it kills the process.
pub struct Floor {
    pub address: SocketAddr,
    pub pid: u32,
    _child: Child,
}

impl Floor {
    /// This program once more.
    pub async fn start(load: Load) -> Result<Self> {
        let word = load.to_possible_value().context("a load with a name")?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["floor", word.get_name()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut said = BufReader::new(child.stdout.take().context("its output")?);
        let mut line = String::new();
        timeout(READY_WITHIN, said.read_line(&mut line)).await.context("a floor that gets ready")??;
        let ready: Ready = serde_json::from_str(&line).context("a floor that says where it is")?;
        ensure!(child.id() == Some(ready.pid), "it is another process than the one that was started");
        Ok(Self { address: ready.address, pid: ready.pid, _child: child })
    }
}
