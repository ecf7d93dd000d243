//! nginx with its default times in front of the server, which has no TLS of its own.
#![cfg(test)]

use std::env;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use client_stories::front::{self, NAME, text};
use lab::{Lab, Pong, Process, SERVER_ADDRESS, Server, Tailscaled, server_binary, until};

/// Where nginx cuts what is silent, and a long way beyond.
const NGINX_READ_TIMEOUT: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(30);

const CONFIG: &str = "\
server_url: https://mesh.test
listen: 127.0.0.1:8080
proxies:
  addresses: [127.0.0.1]
relay:
  stun: 172.30.0.10:3478
";

/// As `docs/guide/tls.md` shows it.
fn config(folder: &Path, certificate: &str, key: &str) -> String {
    let folder = folder.display();
    format!(
        "daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log {folder}/access.log;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    upstream meshctl {{ server 127.0.0.1:8080; keepalive 8; }}
    server {{
        listen {SERVER_ADDRESS}:443 ssl;
        server_name {NAME};
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location / {{
            proxy_pass http://meshctl;
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_buffering off;
        }}
    }}
}}
"
    )
}

/// The server, and nginx in front of it with a certificate that c1 and c4 trust.
fn open(lab: &Lab) -> Result<(Server<'_>, Process)> {
    let srv = lab.host("srv")?;
    let server = Server::start_with(srv, &server_binary()?, CONFIG, &[(Ipv4Addr::LOCALHOST, 8080)])?;
    front::furnish(&server)?;
    let authority = front::authority(srv)?;
    let (certificate, key) = front::certificate(srv, &authority, &format!("DNS:{NAME}"))?;
    let file = srv.dir().join("nginx.conf");
    fs::write(&file, config(srv.dir(), text(&certificate)?, text(&key)?))?;
    let mut nginx = srv.spawn("nginx", &["nginx", "-c", text(&file)?], &[])?;
    until(PATIENCE, "nginx to listen", || {
        ensure!(nginx.runs()?, "nginx ended: {}", nginx.logged()?);
        Ok(srv.listens(SERVER_ADDRESS, 443)?.then_some(()))
    })?;
    front::name(lab, &["srv", "c1", "c4"])?;
    for host in ["c1", "c4"] {
        front::trust(lab.host(host)?, &front::read(&authority.0)?)?;
    }
    Ok((server, nginx))
}

/// How long a change takes to get through.
fn hears(client: &Tailscaled<'_>, server: &Server<'_>, label: &str) -> Result<Duration> {
    server.meshctl(&["dns", "record", "set", label, "192.0.2.9"])?;
    let (begun, wanted) = (Instant::now(), format!("{label}.mesh.internal"));
    until(PATIENCE, &format!("{label} to be known"), || {
        let records = client.netmap()?["DNS"]["ExtraRecords"].to_string();
        Ok(records.contains(&wanted).then_some(begun.elapsed()))
    })
}

#[test]
fn clients_live_behind_nginx_and_are_told_from_each_other() {
    let lab = Lab::start().unwrap();
    let (server, nginx) = open(&lab).unwrap();
    let [c1, c4] = ["c1", "c4"].map(|host| front::member(&lab, &server, host).unwrap());

    // upgrades on POST, the relay's too: c4 has no UDP
    until(PATIENCE, "c1 to know c4", || Ok((c1.peers()? == ["c4"]).then_some(()))).unwrap();
    let pong = until(PATIENCE, "c4 to answer", || Ok(c1.ping("c4", false).ok())).unwrap();
    assert!(matches!(pong, Pong::Relayed(_)), "{pong:?}");
    println!("a change arrives after {:?}", hears(&c1, &server, "first").unwrap());

    // each comes from the address of its own router, not from nginx
    let list = server.meshctl(&["event", "list", "--kind", "node_registered"]).unwrap();
    let mut sources: Vec<_> =
        list["events"].as_array().unwrap().iter().map(|e| e["source"].as_str().unwrap()).collect();
    sources.sort_unstable();
    assert_eq!(sources, ["172.30.0.1", "172.30.0.3"]);

    // a stream is one request to nginx, and is logged when it ends
    let streams = || {
        let log = front::read(&lab.host("srv").unwrap().dir().join("access.log")).unwrap();
        log.lines().filter(|line| line.contains("/ts2021") || line.contains("/derp HTTP")).count()
    };
    let ended = streams();
    if env::var_os("MESHCTL_TEST_FULL").is_some() {
        std::thread::sleep(NGINX_READ_TIMEOUT * 2 + Duration::from_secs(15));
    }
    println!("a change arrives after {:?}", hears(&c4, &server, "second").unwrap());
    assert_eq!(streams(), ended, "no stream was cut meanwhile");
    assert_eq!(c1.state().unwrap(), "Running");
    assert!(!nginx.logged().unwrap().contains("upstream timed out"), "{}", nginx.logged().unwrap());
}
