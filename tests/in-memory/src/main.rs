//! `swarm growth` with servers in its own process: their clients come through memory, so that there may be more of them
//! than a process may have open files.
//!
//! Enters: the command line of [`swarm::here`]. Leaves: its table. Must not know: what clients do.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
        mpsc,
    },
    thread,
};

use anyhow::{Context, Result, anyhow};
use control::{
    Listener, Server,
    config::{Config, File, Flags, resolve},
};
use harness::Pipes;
use swarm::here::Host;
use tokio::{
    io::{DuplexStream, duplex},
    runtime::{self, Handle},
    sync::oneshot,
};

/// Connections to each server.
const ROOM: usize = 100_000;
/// What a connection holds that was not yet read, each way.
const PIPE_BYTES: usize = 64 << 10;
/// Where the first client seems to come from; each is of a household of its own.
const FIRST_CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const THREADS: usize = 2;

fn main() -> ExitCode {
    swarm::here::main(Arc::new(Threads))
}

/// Every server has a runtime of its own.
struct Threads;

impl Host for Threads {
    fn start(&self, config: &Path) -> Result<Pipes> {
        let text = fs::read_to_string(config)?;
        let mistakes = |mistakes| anyhow!("{}: {mistakes:?}", config.display());
        let file = File::parse(config, &text).map_err(mistakes)?;
        let config = resolve(&file, &Flags::default()).map_err(mistakes)?;
        let (ready, started) = mpsc::channel();
        thread::Builder::new().name("server".into()).spawn(move || serve(config, ready))?;
        let (door, clients) = (started.recv().context("the server's thread")??, AtomicU32::new(0));
        Ok(Pipes(Arc::new(move || {
            let client = u32::from(FIRST_CLIENT) + clients.fetch_add(1, Relaxed);
            door.connect(SocketAddr::from((Ipv4Addr::from(client), 41641)))
        })))
    }
}

/// Where connections are handed in. The server ends when this is dropped.
struct Door {
    listener: Listener,
    runtime: Handle,
    _open: oneshot::Sender<()>,
}

impl Door {
    fn connect(&self, client: SocketAddr) -> io::Result<DuplexStream> {
        let (outside, inside) = duplex(PIPE_BYTES);
        let _on = self.runtime.enter();
        let refused = || io::Error::other("not let in");
        self.listener.welcome(inside, client).then_some(outside).ok_or_else(refused)
    }
}

/// Runs a server until its door is dropped.
fn serve(config: Config, ready: mpsc::Sender<Result<Door>>) {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("server")
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(e) => return drop(ready.send(Err(e.into()))),
    };
    runtime.block_on(async {
        let server = match Server::start_with_room(config, ROOM).await {
            Ok(server) => server,
            Err(fault) => return drop(ready.send(Err(fault.into()))),
        };
        let (open, closed) = oneshot::channel();
        let door = Door { listener: server.listener().clone(), runtime: Handle::current(), _open: open };
        if ready.send(Ok(door)).is_ok() {
            let _ = closed.await;
        }
        server.stop().await;
    });
}
