//! Across networks: other subnets, the wire's own view, a firewall.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::sabotage::Sabotage;
use super::{Stage, Story};
use crate::bench::{Bench, Capture, Seen};
use crate::plan::SERVER;
use crate::tailscaled::Pong;

/// What must not be seen on any wire.
const WORD: &str = "plaintext-marker-5f3a9c";
const PORT: u16 = 7007;
const PATIENCE: Duration = Duration::from_secs(15);
/// Long enough that some of the words lie whole in a packet.
const WORDS: usize = 500;

pub(super) fn stories() -> Vec<Story> {
    vec![
        Story {
            id: "net.subnets",
            title: "hosts of two networks reach each other at their mesh addresses, and nowhere else",
            proves: &["US2.1", "FR-005", "FR-013"],
            calm: true,
            sabotage: Sabotage::PolicyDeniesAll,
            symptom: "does not reach 100.64.",
            tell: subnets,
        },
        Story {
            id: "net.encrypted",
            title: "what hosts say to each other is not seen on any wire",
            proves: &["US2.2", "SC-006"],
            calm: true,
            sabotage: Sabotage::Plaintext,
            symptom: "seen on a wire",
            tell: encrypted,
        },
        Story {
            id: "net.firewalled",
            title: "behind a firewall without UDP the relay carries the traffic",
            proves: &["US2.3"],
            calm: true,
            sabotage: Sabotage::FenceOpen,
            symptom: "is not relayed: Direct",
            tell: firewalled,
        },
    ]
}

fn subnets(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    for (from, to) in [("a", "b"), ("b", "a")] {
        let (inside, outside) = (bench.ipv4(to)?, bench.outside(to)?);
        ensure!(!bench.reaches(from, outside, 2)?, "{from} reaches {to} at {outside}, without the mesh");
        bench.must_reach(from, inside)?;
        let told = bench.host(to)?.exec(&["ip", "-4", "-brief", "address", "show", "dev", "ts0"])?.stdout;
        ensure!(told.contains(&inside.to_string()), "the mesh interface of {to} has no {inside}: {told}");
    }
    Ok(())
}

/// A page of words goes over TCP from one host to another, direct and relayed, while every wire is listened to; the
/// control is one packet outside of the mesh with the same words.
fn encrypted(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    bench.member("a")?.ping("b", true)?;
    let capture = Capture::start(bench.lab.switches()?, WORD)?;
    let mut carried = 0;
    for to in ["b", "c"] {
        carried += send_words(bench, "a", to)?;
    }
    if stage.sabotaged(Sabotage::Plaintext) {
        send_openly(bench)?;
    }
    let hidden = capture.finish()?;
    let control = Capture::start(bench.lab.switches()?, WORD)?;
    send_openly(bench)?;
    sleep(Duration::from_millis(300));
    let open = control.finish()?;
    ensure!(open.found > 0, "the control was not seen: {open:?}");
    judge(stage, &hidden, carried)
}

fn judge(stage: &mut Stage<'_>, seen: &Seen, carried: usize) -> Result<()> {
    ensure!(seen.bytes as usize > carried, "{carried} bytes were carried and only {} seen", seen.bytes);
    ensure!(seen.wireguard > 0, "no packet of WireGuard was seen between a and b");
    ensure!(seen.tcp > 0, "nothing was seen on the way to the relay, which c needs");
    let found = format!(
        "{} of {} frames, {} of WireGuard and {} of TCP, carry the marker; the control outside of the mesh was seen",
        seen.found, seen.frames, seen.wireguard, seen.tcp
    );
    stage.measured("SC-006", seen.found == 0, found);
    if let Some(example) = &seen.example {
        bail!("seen on a wire: {example}");
    }
    Ok(())
}

/// Sends the words over TCP through the mesh; how many bytes arrived.
fn send_words(bench: &Bench<'_>, from: &str, to: &str) -> Result<usize> {
    let address = bench.ipv4(to)?;
    let listener = bench.host(to)?.in_network(|| TcpListener::bind((address, PORT)))??;
    let connect = || TcpStream::connect_timeout(&(address, PORT).into(), PATIENCE);
    let mut sender = bench.host(from)?.in_network(connect)?.with_context(|| format!("{from} to {to}"))?;
    sender.set_write_timeout(Some(PATIENCE))?;
    let (mut receiver, _) = listener.accept()?;
    receiver.set_read_timeout(Some(PATIENCE))?;
    sender.write_all(format!("{WORD} ").repeat(WORDS).as_bytes())?;
    drop(sender);
    let mut received = String::new();
    receiver.read_to_string(&mut received)?;
    ensure!(received.matches(WORD).count() == WORDS, "{to} got other words");
    Ok(received.len())
}

/// One packet from a to the server, beside the mesh.
fn send_openly(bench: &Bench<'_>) -> Result<()> {
    let server: Ipv4Addr = SERVER.1.parse()?;
    let socket = bench.host("a")?.in_network(|| UdpSocket::bind("0.0.0.0:0"))??;
    socket.send_to(WORD.as_bytes(), (server, PORT))?;
    Ok(())
}

fn firewalled(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    let before = bench.lab.fenced_udp()?;
    for (from, to) in [("a", "c"), ("c", "a"), ("c", "b"), ("b", "c")] {
        bench.must_reach(from, bench.ipv4(to)?)?;
        let pong = bench.member(from)?.ping(to, false)?;
        ensure!(matches!(pong, Pong::Relayed(_)), "{from} to {to} is not relayed: {pong:?}");
    }
    ensure!(bench.lab.fenced_udp()? > before, "the firewall of c had nothing to drop");
    let pong = bench.member("a")?.ping("b", true)?;
    ensure!(
        matches!(pong, Pong::Direct(_)),
        "a and b, without such a firewall, have no direct path: {pong:?}"
    );
    Ok(())
}
