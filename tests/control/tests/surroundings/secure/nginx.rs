//! Debian's nginx with its default times in front: TLS there, upgrades by POST, long streams, and whom it speaks for.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use api::event;
use control::config::{File, ProxiesFile, RelayFile};
use derp::Frame;
use harness::{Identity, Server};
use tempfile::TempDir;

use crate::{
    authority::Authority,
    device::Device,
    house::{House, free_address, join, soon},
    relayed::{Way, enter, key_pair},
};

/// A running nginx; ends when dropped.
struct Nginx {
    process: Child,
    folder: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Nginx {
    /// With TLS at `front`, plain HTTP to `back`. One process, so that nothing outlives it.
    fn start(authority: &Authority, front: SocketAddr, back: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tls = authority.files(folder.path(), "nginx", "localhost");
        let (certificate, key) = (tls.cert_file.unwrap(), tls.key_file.unwrap());
        let file = folder.path().join("nginx.conf");
        fs::write(&file, config(folder.path(), front, back, [&certificate, &key])).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&file).arg("-e").arg("stderr").stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(folder.path().join("log")).unwrap());
        let process = command.spawn().expect("nginx of tests/packages.txt");
        Self { process, folder }
    }

    /// What it complains about.
    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

fn config(folder: &Path, front: SocketAddr, back: SocketAddr, [certificate, key]: [&Path; 2]) -> String {
    let here = folder.display();
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = kinds.iter().map(|kind| format!("{kind}_temp_path {here}/{kind};\n")).collect();
    let (certificate, key) = (certificate.display(), key.display());
    format!(
        "daemon off; master_process off; pid {here}/pid; error_log stderr warn;
events {{}}
http {{
    access_log off; {temporary}
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    upstream meshctl {{ server {back}; keepalive 8; }}
    server {{
        listen {front} ssl;
        ssl_certificate {certificate}; ssl_certificate_key {key};
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

async fn open() -> (House, Nginx, Server) {
    let (authority, front, back) = (Authority::new(), free_address(), free_address());
    let url = format!("https://localhost:{}", front.port());
    let file = File {
        server_url: Some(url.clone()),
        listen: Some(back.to_string()),
        proxies: Some(ProxiesFile { addresses: vec!["127.0.0.1".into()], header: None }),
        relay: Some(RelayFile { stun: Some("off".into()), ..RelayFile::default() }),
        ..File::default()
    };
    let house = House::open_in(tempfile::tempdir().unwrap(), file).await;
    let nginx = Nginx::start(&authority, front, back);
    let at = soon("nginx", async {
        loop {
            match Server::find(&url, Some(authority.trusted())).await {
                Ok(at) => return at,
                Err(e) => assert!(!nginx.log().contains("[emerg]"), "{e:#}: {}", nginx.log()),
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    (house, nginx, at)
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_and_their_relay_live_behind_nginx() {
    let (house, nginx, at) = open().await;
    let at = at.from_addresses(200);
    let key = house.key().await;
    let [laptop, peer] = [join(&at, &key, "laptop").await, join(&at, &key, "peer").await];
    let id = laptop.myself().await.id;
    let mut theirs = peer.listen().await;
    let _ours = laptop.listen().await;
    for port in 0..50 {
        laptop.report(&[&format!("192.0.2.1:{}", 1000 + port)], 900).await;
    }
    theirs
        .until("the last report", |m| {
            m.peer(id).and_then(|p| p.endpoints.first()).is_some_and(|at| at.port() == 1049)
        })
        .await;
    theirs.agrees_with(&peer).await;

    let pairs = [key_pair(1), key_pair(2)];
    let mut relayed = Vec::new();
    for pair in &pairs {
        let me = Identity { node: pair.public(), ..Identity::random().unwrap() };
        let device = Device::connect(&at, me, "relayed").await;
        assert!(device.register(Some(&key)).await.machine_authorized);
        relayed.push(enter(at.dial().await.unwrap(), Way::Upgrade, pair).await);
    }
    let [a, b] = relayed.as_mut_slice() else { panic!() };
    a.send(pairs[1].public(), b"through nginx").await;
    let packet = Frame::RecvPacket { from: pairs[0].public(), packet: b"through nginx".as_slice().into() };
    assert_eq!(b.next().await, Some(packet));

    let events = house.admin.call(&event::LIST, &[], &event::Query::default()).await.unwrap().events;
    let joined = events.into_iter().filter(|e| e.kind == "node_registered");
    let mut sources: Vec<_> = joined.map(|e| e.source).collect();
    sources.sort_unstable();
    sources.dedup();
    assert_eq!(sources.len(), 4, "each device came from an address of its own: {sources:?}");
    assert!(!nginx.log().contains("[error]"), "{}", nginx.log());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_and_is_answered_gives_its_place_back() {
    let (house, _nginx, at) = open().await;
    let mut statuses = Vec::new();
    // More than a stranger may hold open at once, through connections that nginx keeps.
    for _ in 0..300 {
        statuses.push(at.get("/key?v=130").await.unwrap().0.as_u16());
    }
    assert!(statuses.iter().all(|status| *status == 200), "asking one after another is nothing to refuse");
    house.close().await;
}
