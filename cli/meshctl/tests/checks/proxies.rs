//! Proxies between a client and its server, and servers that do not answer.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    thread,
};

use crate::bench::Bench;

/// Passes one request of each connection on, without the headers of an upgrade, and says its name.
fn stripping(backend: String, named: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let backend = backend.clone();
            thread::spawn(move || drop(pass(client, &backend, named)));
        }
    });
    port
}

fn pass(mut client: TcpStream, backend: &str, named: bool) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let kept = head.lines().filter(|l| !l.to_ascii_lowercase().starts_with("upgrade:"));
    let kept: String = kept.filter(|l| !l.is_empty()).map(|l| format!("{l}\r\n")).collect();
    let mut server = TcpStream::connect(backend)?;
    server.write_all(
        format!("{}Connection: close\r\n\r\n", kept.replace("Connection: upgrade\r\n", "")).as_bytes(),
    )?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    let name = if named { "\r\nServer: edge-proxy/1.0\r\n" } else { "\r\n" };
    let answer = String::from_utf8_lossy(&answer).replacen("\r\n", name, 1);
    client.write_all(answer.as_bytes())
}

#[test]
fn the_hop_that_strips_the_upgrade_is_named() {
    let bench = Bench::served();
    let port = stripping(format!("{}:8080", bench.ip), true);
    let said = bench.check(&format!("--only control.handshake --url http://127.0.0.1:{port}"));
    assert_eq!((said.code, said.state("control.handshake").as_str()), (1, "fail"), "{}", said.out);
    let summary = said.check("control.handshake")["summary"].as_str().unwrap().to_owned();
    assert!(summary.starts_with("edge-proxy/1.0 strips the upgrade"), "{summary}");
    assert!(said.fix("control.handshake").contains("proxy_set_header Upgrade"));

    let port = stripping(format!("{}:8080", bench.ip), false);
    let said = bench
        .check(&format!("--only control.handshake --url http://127.0.0.1:{port} --direct {}", bench.url()));
    let summary = said.check("control.handshake")["summary"].as_str().unwrap().to_owned();
    assert!(summary.contains("that does not name itself"), "{summary}");
    assert!(summary.contains("without its Upgrade header"), "{summary}");
}

#[test]
fn nobody_and_somebody_else_are_told_apart() {
    let bench = Bench::new();
    let judged = |url: &str| {
        let said = bench.check(&format!("--only control.handshake --url {url}"));
        assert_eq!(said.state("control.handshake"), "fail", "{}", said.out);
        said.check("control.handshake")["summary"].as_str().unwrap().to_owned()
    };
    assert!(judged(&format!("http://{}:1", bench.ip)).contains("nobody listens"));
    assert!(judged("http://no-such-host.invalid").contains("no address"));
    assert!(judged("ftp://x.example").contains("no URL"));
}

#[test]
fn stun_is_a_binding_response_and_not_an_open_port() {
    let mut bench = Bench::served();
    assert_eq!(bench.check("--only stun.answers").ok().state("stun.answers"), "pass");
    bench.stop();
    let config = format!("listen: {}:8080\ndata_dir: mesh-data\nrelay: {{enabled: false}}\n", bench.ip);
    bench.write("off.yaml", &config);
    // The port is open, and whoever has it says nothing.
    let silent = UdpSocket::bind(format!("{}:3478", bench.ip)).unwrap();
    let said = bench.check_once("--only stun.answers --only derp.works");
    assert_eq!((said.code, said.state("stun.answers").as_str()), (3, "unknown"), "{}", said.out);
    drop(silent);
}

#[test]
fn a_certificate_of_nobody_is_not_trusted() {
    let bench = Bench::served();
    // The relay has one that it made itself; asked as if it were the server, nobody vouches for it.
    let url = format!("https://{}:8443", bench.ip);
    let said = bench.check(&format!("--only certificates.expiry --only control.handshake --url {url}"));
    assert_eq!(said.state("certificates.expiry"), "fail", "{}", said.out);
    assert_eq!(said.state("control.handshake"), "fail", "{}", said.out);
}

#[test]
fn a_relay_that_is_another_than_clients_are_told_of_fails() {
    let (mut bench, other) = (Bench::served(), Bench::served());
    let judged = |bench: &Bench| bench.check("--only derp.works");
    let said = judged(&bench).ok();
    assert_eq!(said.state("derp.works"), "pass", "{}", said.out);

    bench.stop();
    bench.serve_with(&format!("relay: {{listen: \"{}:8443\", host: {}}}\n", bench.ip, other.ip));
    let said = judged(&bench);
    assert_eq!((said.code, said.state("derp.works").as_str()), (1, "fail"), "{}", said.out);
    assert!(
        said.check("derp.works")["summary"].as_str().unwrap().contains("another certificate"),
        "{}",
        said.out
    );

    bench.stop();
    bench.serve_with(&format!("relay: {{listen: \"{}:8443\"}}\n", bench.ip));
    assert_eq!(judged(&bench).ok().state("derp.works"), "pass");
}
