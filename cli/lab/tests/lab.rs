//! The lab itself: wires, routers, firewalls, name lookup, the official client on its own.

use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use lab::{Clients, Lab, Tailscaled, until};

/// Longer than anything here takes on a machine that is at work elsewhere.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn clients_reach_the_internet_through_their_routers() {
    let lab = Lab::start().unwrap();
    let server = lab.host("srv").unwrap();
    let listener = server.in_network(|| TcpListener::bind("172.30.0.10:8080")).unwrap().unwrap();
    for (client, seen_as) in [("c1", 1), ("c2", 1), ("c3", 2), ("c4", 3)] {
        let client = lab.host(client).unwrap();
        let address = "172.30.0.10:8080".parse().unwrap();
        let _stream = client.in_network(|| TcpStream::connect_timeout(&address, PATIENCE)).unwrap().unwrap();
        let (_, source) = listener.accept().unwrap();
        assert_eq!(source.ip(), Ipv4Addr::new(172, 30, 0, seen_as));
    }
    assert!(server.listens(Ipv4Addr::new(172, 30, 0, 10), 8080).unwrap());
    assert!(!server.listens(Ipv4Addr::new(172, 30, 0, 10), 8081).unwrap());
}

#[test]
fn homes_do_not_reach_each_other() {
    let lab = Lab::start().unwrap();
    let ping = |from: &str, to: &str, wait: &str| {
        lab.host(from).unwrap().try_exec(&["ping", "-c1", wait, to], PATIENCE).unwrap().success()
    };
    assert!(ping("c1", "192.168.1.12", "-W20"), "same home");
    assert!(ping("c3", "172.30.0.10", "-W20"), "the internet");
    assert!(!ping("c1", "10.0.0.13", "-W1"), "another home");
    assert!(!ping("c1", "172.30.0.2", "-W1"), "another home's router");
    assert!(!ping("srv", "192.168.1.11", "-W1"), "from outside");
}

#[test]
fn only_the_firewalled_home_loses_udp() {
    let lab = Lab::start().unwrap();
    let server =
        lab.host("srv").unwrap().in_network(|| UdpSocket::bind("172.30.0.10:3478")).unwrap().unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let send = |client: &str| {
        let socket =
            lab.host(client).unwrap().in_network(|| UdpSocket::bind("0.0.0.0:41000")).unwrap().unwrap();
        socket.send_to(client.as_bytes(), "172.30.0.10:3478").unwrap();
    };
    send("c4");
    send("c1");
    let mut word = [0; 8];
    let (length, source) = server.recv_from(&mut word).unwrap();
    assert_eq!(&word[..length], b"c1", "c4 went first and must not have passed");
    assert_eq!(source.to_string(), "172.30.0.1:41000", "the router keeps the source port");
    assert_eq!(lab.dropped_udp().unwrap(), 1);
}

#[test]
fn a_host_keeps_its_etc_to_itself() {
    let before = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let lab = Lab::start().unwrap();
    let (c1, c2) = (lab.host("c1").unwrap(), lab.host("c2").unwrap());
    c1.exec(&[
        "sh",
        "-c",
        "mv /etc/resolv.conf /etc/resolv.old && echo nameserver 192.0.2.1 >/etc/resolv.conf",
    ])
    .unwrap();
    assert_eq!(c1.exec(&["cat", "/etc/resolv.conf"]).unwrap().stdout, "nameserver 192.0.2.1\n");
    assert_eq!(c2.exec(&["cat", "/etc/resolv.conf"]).unwrap().stdout, "");
    assert_eq!(std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default(), before);
    assert!(!std::path::Path::new("/etc/resolv.old").exists());
    assert_eq!(c1.exec(&["hostname"]).unwrap().stdout.trim(), "c1");
}

#[test]
fn the_official_client_starts_and_asks_for_a_login() {
    let clients = Clients::find().unwrap();
    let lab = Lab::start().unwrap();
    let c1 = lab.host("c1").unwrap();
    let mut client = Tailscaled::start(c1, &clients).unwrap();
    until(PATIENCE, "NeedsLogin", || Ok((client.state()? == "NeedsLogin").then_some(()))).unwrap();
    c1.exec(&["ip", "link", "show", "ts0"]).unwrap();

    client.kill().unwrap();
    assert!(c1.exec(&["ip", "link", "show", "ts0"]).is_err(), "the interface goes with the process");
    client.start_again().unwrap();
    c1.exec(&["ip", "link", "show", "ts0"]).unwrap();
}

#[test]
fn nothing_outlives_the_lab() {
    let lab = Lab::start().unwrap();
    let folder = lab.dir().to_owned();
    let process = lab.host("c1").unwrap().spawn("sleep", &["sleep", "1000"], &[]).unwrap();
    let pid = process.pid().unwrap();
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());

    // the handle is lost, as when a test is killed; only the end of the host is left to end the process
    std::mem::forget(process);
    drop(lab);
    until(PATIENCE, "the process to end", || {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        Ok((state.is_empty() || state.contains(") Z ")).then_some(()))
    })
    .unwrap();
    assert!(!folder.exists());
}
