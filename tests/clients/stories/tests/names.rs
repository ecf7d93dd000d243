//! Names, as the resolver of an official client answers them.
#![cfg(test)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use client_stories::Mesh;
use lab::{Host, Lab, until};

const PATIENCE: Duration = Duration::from_secs(20);
/// Where a client answers its own machine.
const RESOLVER: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 100);
const BEHIND: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);
const NO_ERROR: u8 = 0;
const NO_SUCH_NAME: u8 = 3;

/// A question for the IPv4 addresses of a name.
fn question(name: &str) -> Vec<u8> {
    let mut packet = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(label.len() as u8);
        packet.extend_from_slice(label.as_bytes());
    }
    packet.extend_from_slice(&[0, 0, 1, 0, 1]);
    packet
}

/// What the client on the host answers: the code, and the addresses when the answer is nothing but addresses.
fn ask(host: &Host, name: &str) -> Result<(u8, Vec<Ipv4Addr>)> {
    let socket = host.in_network(|| UdpSocket::bind("0.0.0.0:0"))??;
    socket.set_read_timeout(Some(Duration::from_secs(3)))?;
    let question = question(name);
    socket.send_to(&question, (RESOLVER, 53))?;
    let mut answer = [0; 1500];
    let length = socket.recv(&mut answer)?;
    let answer = &answer[..length];
    ensure!(length >= question.len() && answer[..2] == question[..2], "no answer to this question");
    let many = usize::from(u16::from_be_bytes([answer[6], answer[7]]));
    let mut addresses = Vec::new();
    let mut rest = &answer[question.len()..];
    for _ in 0..many {
        // Each begins with a name, whole or as a reference to the question's.
        let after = if rest.first().is_some_and(|b| b & 0xc0 == 0xc0) {
            2
        } else {
            rest.iter().position(|b| *b == 0).context("a name without end")? + 1
        };
        let record = rest.get(after..).filter(|r| r.len() >= 14 && r[..4] == [0, 1, 0, 1]).context("no A")?;
        addresses.push(Ipv4Addr::new(record[10], record[11], record[12], record[13]));
        rest = &record[14..];
    }
    Ok((answer[3] & 15, addresses))
}

/// Waits until the client on the host answers so, and says how long that took.
fn answers(host: &Host, name: &str, code: u8, addresses: &[Ipv4Addr]) {
    let begun = Instant::now();
    until(PATIENCE, &format!("{name} to be {addresses:?}"), || {
        let found = ask(host, name)?;
        if found != (code, addresses.to_vec()) {
            bail!("{name} is {found:?}");
        }
        Ok(Some(()))
    })
    .unwrap();
    println!("{}: {name} is {addresses:?} (code {code}) after {:?}", host.name(), begun.elapsed());
}

/// Answers every question with one address, until told to stop; how many that were.
fn serve(socket: &UdpSocket, stop: &AtomicBool) -> u32 {
    let (mut packet, mut served) = ([0; 1500], 0);
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let end = Instant::now() + 2 * PATIENCE;
    while !stop.load(Ordering::Relaxed) && Instant::now() < end {
        let Ok((length, from)) = socket.recv_from(&mut packet) else { continue };
        // The question ends with its name, type and class; what comes behind is not repeated.
        let Some(question) =
            packet.get(12..length).unwrap_or_default().iter().position(|b| *b == 0).map(|zero| 12 + zero + 5)
        else {
            continue;
        };
        let Some(mut answer) = packet.get(..question).map(<[u8]>::to_vec) else { continue };
        answer[2..12].copy_from_slice(&[0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4]);
        answer.extend_from_slice(&BEHIND.octets());
        let _ = socket.send_to(&answer, from);
        served += 1;
    }
    served
}

fn v4(address: &str) -> Ipv4Addr {
    address.parse().unwrap()
}

#[test]
fn split_dns_and_extra_records_are_pushed_live() {
    let lab = Lab::start().unwrap();
    let mesh = Mesh::of_members(&lab, &["c1", "c3"]).unwrap();
    let server = mesh.ipv4("c3").unwrap();
    let c1 = lab.host("c1").unwrap();
    answers(c1, "c3.mesh.internal", NO_ERROR, &[v4(&server)]);
    let socket = lab.host("c3").unwrap().in_network(|| UdpSocket::bind("0.0.0.0:5353")).unwrap().unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let serving = scope.spawn(|| serve(&socket, &stop));
        let at = SocketAddr::new(IpAddr::V4(v4(&server)), 5353);
        mesh.server.meshctl(&["dns", "set", "--split", &format!("corp.test={at}")]).unwrap();
        answers(c1, "app.corp.test", NO_ERROR, &[BEHIND]);
        stop.store(true, Ordering::Relaxed);
        assert!(serving.join().unwrap() > 0, "the server on the mesh host answered");
    });
    mesh.server.meshctl(&["dns", "record", "set", "printer", "192.0.2.9"]).unwrap();
    answers(c1, "printer.mesh.internal", NO_ERROR, &[Ipv4Addr::new(192, 0, 2, 9)]);
    mesh.server.meshctl(&["dns", "record", "delete", "printer"]).unwrap();
    answers(c1, "printer.mesh.internal", NO_SUCH_NAME, &[]);
}

#[test]
fn a_new_name_is_answered_and_the_old_one_is_no_more() {
    let lab = Lab::start().unwrap();
    let mesh = Mesh::of_members(&lab, &["c1", "c3"]).unwrap();
    let (c1, renamed) = (lab.host("c1").unwrap(), mesh.ipv4("c3").unwrap());
    answers(c1, "c3.mesh.internal", NO_ERROR, &[v4(&renamed)]);
    mesh.server.meshctl(&["node", "rename", "c3", "office"]).unwrap();
    answers(c1, "office.mesh.internal", NO_ERROR, &[v4(&renamed)]);
    answers(c1, "c3.mesh.internal", NO_SUCH_NAME, &[]);
}
