//! `swarm stun`: as many address questions as a server takes, and what they cost it.

use std::{
    io::{IoSlice, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use derp::stun::{MAX_MESSAGE_BYTES, encode_request, parse_reply};
use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg},
};
use serde::Serialize;

use crate::{
    args::program,
    gauge::Gauge,
    report::{Report, Row, row},
    server::Server,
};

/// A question that got no answer by then is lost.
const PATIENCE: Duration = Duration::from_millis(20);

/// The load and whom it goes to.
#[derive(Args)]
pub struct StunArgs {
    /// The meshctl to start on a fresh data folder [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    pub spawn: Option<PathBuf>,
    /// A running server instead of one to start
    #[arg(long, value_name = "HOST:PORT", requires = "pid", conflicts_with = "spawn")]
    pub address: Option<SocketAddr>,
    /// Its process, which is measured
    #[arg(long, requires = "address")]
    pub pid: Option<u32>,
    /// Sockets that ask in turn
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub sockets: u32,
    /// Questions that a socket has open at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub window: u32,
    /// How long
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub seconds: u32,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// One JSON object.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub seconds: f64,
    pub asked: u64,
    pub answered: u64,
    pub answers_per_second: f64,
    /// Answers with an address that was not the asker's, or to nobody's question.
    pub wrong: u64,
    pub cpu_seconds: f64,
    pub answers_per_cpu_second: f64,
}

/// Asks for so long and reads off what it cost.
pub async fn run(args: &StunArgs) -> Result<Outcome> {
    let (address, gauge, _server) = match (args.address, args.pid) {
        (Some(address), Some(pid)) => (address, Gauge::of(pid), None),
        _ => {
            let server = Server::spawn(&program(args.spawn.as_ref())?, "").await?;
            let relay = server.admin()?.status().await?.relay.context("a server with a relay")?;
            let port = relay.stun_port.context("a server with STUN")?;
            (SocketAddr::new([127, 0, 0, 1].into(), port), server.gauge(), Some(server))
        }
    };
    let (sockets, window, length) = (args.sockets, args.window as usize, u64::from(args.seconds));
    let asking = move || ask(address, gauge, sockets, window, Duration::from_secs(length));
    tokio::task::spawn_blocking(asking).await?
}

fn ask(address: SocketAddr, gauge: Gauge, sockets: u32, window: usize, length: Duration) -> Result<Outcome> {
    let mut askers: Vec<_> = (0..sockets).map(|n| Asker::new(address, n, window)).collect::<Result<_>>()?;
    askers.iter().try_for_each(Asker::ask)?;
    let (start, cpu) = (Instant::now(), gauge.cpu()?);
    while start.elapsed() < length {
        for asker in &mut askers {
            asker.hear()?;
            asker.ask()?;
        }
    }
    let (seconds, cpu_seconds) = (start.elapsed().as_secs_f64(), (gauge.cpu()? - cpu).as_secs_f64());
    let sum = |of: fn(&Asker) -> u64| askers.iter().map(of).sum::<u64>();
    let answered = sum(|a| a.answered);
    ensure!(answered > 0, "no answer from {address}");
    Ok(Outcome {
        seconds,
        asked: askers.iter().map(|a| a.rounds.get()).sum::<u64>() * window as u64,
        answered,
        answers_per_second: answered as f64 / seconds,
        wrong: sum(|a| a.wrong),
        cpu_seconds,
        answers_per_cpu_second: answered as f64 / cpu_seconds.max(0.01),
    })
}

/// A socket, its questions, and what came of them.
struct Asker {
    socket: UdpSocket,
    own: SocketAddr,
    questions: Vec<Vec<u8>>,
    buffers: Vec<[u8; MAX_MESSAGE_BYTES]>,
    rounds: std::cell::Cell<u64>,
    answered: u64,
    wrong: u64,
}

impl Asker {
    fn new(address: SocketAddr, number: u32, window: usize) -> Result<Self> {
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        socket.connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let transaction = |n: usize| {
            let mut id = [0; 12];
            id[..4].copy_from_slice(&number.to_be_bytes());
            id[4..].copy_from_slice(&(n as u64).to_be_bytes());
            id
        };
        Ok(Self {
            own: socket.local_addr()?,
            socket,
            questions: (0..window).map(|n| encode_request(&transaction(n))).collect(),
            buffers: vec![[0; MAX_MESSAGE_BYTES]; window],
            rounds: std::cell::Cell::new(0),
            answered: 0,
            wrong: 0,
        })
    }

    /// Sends all questions once more.
    fn ask(&self) -> Result<()> {
        let slices: Vec<_> = self.questions.iter().map(|q| [IoSlice::new(q)]).collect();
        let nowhere = vec![None; slices.len()];
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(slices.len(), None);
        match sendmmsg(self.socket.as_raw_fd(), &mut headers, &slices, nowhere, [], MsgFlags::empty()) {
            Ok(_) | Err(Errno::EAGAIN) => {}
            Err(Errno::ECONNREFUSED) => bail!("nobody answers at {:?}", self.socket.peer_addr()?),
            Err(e) => return Err(e.into()),
        }
        self.rounds.set(self.rounds.get() + 1);
        Ok(())
    }

    /// Takes answers until there is one for each question, or none comes any more.
    fn hear(&mut self) -> Result<()> {
        let mut missing = self.questions.len();
        while missing > 0 {
            let mut slices: Vec<_> = self.buffers.iter_mut().map(|b| [IoSliceMut::new(b)]).collect();
            let mut headers = MultiHeaders::<SockaddrIn>::preallocate(slices.len(), None);
            let flags = MsgFlags::MSG_WAITFORONE;
            let received = match recvmmsg(self.socket.as_raw_fd(), &mut headers, &mut slices, flags, None) {
                Ok(received) => received,
                Err(Errno::EAGAIN) => return Ok(()),
                Err(e) => return Err(e.into()),
            };
            for message in received {
                let reply = message.iovs().next().and_then(parse_reply);
                let right = reply.is_some_and(|(_, address)| address == self.own);
                if right {
                    self.answered += 1
                } else {
                    self.wrong += 1
                }
                missing = missing.saturating_sub(1);
            }
        }
        Ok(())
    }
}

impl Report for Outcome {
    fn rows(&self) -> Vec<Row> {
        vec![
            row("asked / answered", format!("{} / {}", self.asked, self.answered), ""),
            row("answers per s", format!("{:.0}", self.answers_per_second), ""),
            row("server CPU", format!("{:.2} s in {:.1} s", self.cpu_seconds, self.seconds), ""),
            row("answers per s of CPU", format!("{:.0}", self.answers_per_cpu_second), "350000"),
            row("wrong answers", self.wrong.to_string(), "0"),
        ]
    }

    fn is_right(&self) -> bool {
        self.wrong == 0
    }
}
