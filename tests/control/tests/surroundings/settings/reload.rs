//! A configuration that is read again while the server runs: all of it is applied, or nothing is and the reason is said.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use api::{
    Problem,
    server::{RELOAD, Reloaded, STATUS},
};
use control::{
    Server,
    config::{AdminFile, DnsFile, File, Flags, ProxiesFile, RelayFile, resolve},
};
use rustls::crypto::aws_lc_rs::default_provider;
use tempfile::TempDir;

use crate::{
    authority::Authority,
    device::{Device, online},
    house::{free_address, join, soon, without_relay},
    journal,
};
use control_tests::admin::{Admin, reusable};

/// A server whose configuration a test may write anew.
struct House {
    server: Server,
    admin: Admin,
    file: Arc<Mutex<File>>,
    folder: TempDir,
}

impl House {
    async fn open(file: File) -> Self {
        journal::open();
        let _ = default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let listen = file.listen.clone().unwrap_or_else(|| free_address().to_string());
        let file = File { listen: Some(listen), data_dir: Some(folder.path().into()), ..file };
        let file = Arc::new(Mutex::new(file));
        let again = file.clone();
        let read = move || resolve(&again.lock().unwrap(), &Flags::default());
        let server = Server::start_from(read().unwrap(), Box::new(read)).await.unwrap();
        let admin = Admin::local(server.ready().socket.clone());
        Self { server, admin, file, folder }
    }

    /// What the next reading finds.
    fn write(&self, edit: impl FnOnce(&mut File)) {
        edit(&mut self.file.lock().unwrap());
    }

    async fn reload(&self) -> Result<Vec<String>, Problem> {
        let changed = self.admin.call(&RELOAD, &[], &()).await?;
        let Reloaded { applied } = changed.outcome;
        assert_eq!(changed.changed, !applied.is_empty());
        Ok(applied)
    }

    async fn at(&self) -> harness::Server {
        harness::Server::find(&self.server.ready().server_url, None).await.unwrap()
    }

    async fn key(&self) -> String {
        let policy = r#"{"tagOwners": {"tag:member": []},
            "acls": [{"action": "accept", "src": ["tag:member"], "dst": ["tag:member:*"]}]}"#;
        self.admin.call(&api::policy::SET, &[], &api::policy::Edit::of(policy)).await.unwrap();
        let tags = Some(vec!["tag:member".parse().unwrap()]);
        let set = api::role::Set { tags, reusable: Some(true), ..api::role::Set::default() };
        self.admin.call(&api::role::SET, &["member"], &set).await.unwrap();
        self.admin.key(&reusable()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_again_holds_at_once_for_who_is_connected() {
    let house = House::open(File { leaving_grace: Some("1h".into()), ..without_relay() }).await;
    let (key, at) = (house.key().await, house.at().await);
    let [laptop, peer] = [join(&at, &key, "laptop").await, join(&at, &key, "peer").await];
    let id = peer.myself().await.id;
    let (mut ours, theirs) = (laptop.listen().await, peer.listen().await);
    ours.until("the peer online", |m| online(m, id)).await;
    assert_eq!(house.reload().await.unwrap(), Vec::<String>::new(), "nothing is different");

    let maps = house.folder.path().join("relays.yaml");
    let text = "Regions:\n  901:\n    RegionID: 901\n    RegionCode: far\n    RegionName: Far\n    Nodes:\n      - {Name: 901a, RegionID: 901, HostName: far.example}\n";
    fs::write(&maps, text).unwrap();
    house.write(|file| {
        file.leaving_grace = Some("1s".into());
        file.derp_maps = vec![maps.to_str().unwrap().to_owned()];
        file.dns = Some(DnsFile { search: vec!["corp.example".into()], ..DnsFile::default() });
    });
    assert_eq!(house.reload().await.unwrap(), ["derp_maps", "dns", "leaving_grace"]);
    ours.until("the search domain", |m| {
        // The official Rust client takes no part in DNS.
        m.dns().is_none_or(|dns| dns.domains.iter().any(|d| d == "corp.example"))
    })
    .await;
    assert!(laptop.map().await.derp_map.unwrap().regions.contains_key(&901));
    ours.agrees_with(&laptop).await;
    drop(theirs);
    ours.until("the peer offline, which an hour would have kept", |m| !online(m, id)).await;

    fs::write(&maps, text.replace("far.example", "farther.example")).unwrap();
    assert_eq!(house.reload().await.unwrap(), ["derp_maps"], "the file is read again, too");
    house.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_signed_in_stays_so() {
    let house = House::open(without_relay()).await;
    let create = api::apikey::Create::default();
    let key = house.admin.call(&api::apikey::CREATE, &[], &create).await.unwrap().outcome.secret.unwrap();
    let url = house.server.ready().server_url.clone();
    let device = Device::connect(&house.at().await, harness::Identity::random().unwrap(), "laptop").await;
    let page = device.register(None).await.auth_url.strip_prefix(&url).unwrap().to_owned();
    let door = Admin::remote(url.strip_prefix("http://").unwrap().parse().unwrap(), None);
    let form = format!("key={}&back={}", api::escape(key.expose()), api::escape(&page));
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let answer = door.whole("POST", "/login", &[kind, ("origin", &url)], form).await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let look = async || door.whole("GET", &page, &[("cookie", &cookie)], String::new()).await.unwrap();
    let before = look().await.into_body();
    assert!(before.contains("name=\"csrf\""), "{before}");
    house.write(|file| file.leaving_grace = Some("3s".into()));
    assert_eq!(house.reload().await.unwrap(), ["leaving_grace"]);
    assert_eq!(look().await.into_body(), before, "the same session");
    house.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_thing_that_cannot_be_leaves_everything_as_it_was() {
    let house = House::open(without_relay()).await;
    let good = house.file.lock().unwrap().clone();
    let with_search = |file: &mut File| {
        file.dns = Some(DnsFile { search: vec!["corp.example".into()], ..DnsFile::default() });
    };
    for (what, edit) in [
        ("leaving_grace", (|file| file.leaving_grace = Some("soon".into())) as fn(&mut File)),
        ("change listen, server_url", |file| file.listen = Some("127.0.0.1:1".into())),
        ("domain", |file| file.domain = Some("net.example".into())),
        ("relay.enabled", |file| {
            file.relay = Some(RelayFile { stun: Some("off".into()), ..RelayFile::default() })
        }),
        ("absent.yaml", |file| file.derp_maps = vec!["absent.yaml".into()]),
    ] {
        house.write(|file| {
            *file = good.clone();
            with_search(file);
            edit(file);
        });
        let problem = house.reload().await.unwrap_err();
        assert_eq!((problem.code.as_str(), problem.status), ("bad_config", 422), "{problem:?}");
        let said: String =
            problem.errors.iter().map(|m| m.message.as_str()).chain([problem.detail.as_str()]).collect();
        assert!(
            said.contains(what.trim_start_matches("change ").split(',').next().unwrap()),
            "{what}: {problem:?}"
        );
        assert!(problem.detail.contains("nothing was changed"));
        let dns = &house.server.doors().hub.world().dns;
        assert!(dns.settings.search.is_empty(), "{what}: half of it is in force");
    }
    assert!(journal::lines_with("THE CONFIGURATION IS NOT RELOADED").len() >= 5);
    house.write(|file| {
        *file = good;
        with_search(file);
    });
    let path = RELOAD.declared().at(&[api::DEFAULT_TAILNET]).unwrap() + "?check=true";
    let (_, said) = house.admin.raw("POST", &path, "null".into()).await.unwrap();
    assert!(said.contains(r#""applied":["dns"]"#) && said.contains(r#""check":true"#), "{said}");
    assert!(house.server.doors().hub.world().dns.settings.search.is_empty(), "a check changes nothing");
    assert_eq!(house.reload().await.unwrap(), ["dns"]);
    house.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_set_stays_when_start_values_change() {
    let house = House::open(without_relay()).await;
    let edit = api::dns::Edit { search: Some(vec!["mine.example".into()]), ..api::dns::Edit::default() };
    house.admin.call(&api::dns::SET, &[], &edit).await.unwrap();
    house
        .write(|file| file.dns = Some(DnsFile { search: vec!["corp.example".into()], ..DnsFile::default() }));
    assert_eq!(house.reload().await.unwrap(), ["dns"]);
    assert_eq!(house.server.doors().hub.world().dns.settings.search, ["mine.example"]);
    house.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_and_the_way_to_the_admin_api_are_reloaded() {
    let port = free_address().port();
    let house = House::open(File {
        listen: Some(format!("0.0.0.0:{port}")),
        server_url: Some(format!("http://127.0.0.1:{port}")),
        ..without_relay()
    })
    .await;
    let at = Admin::remote(([127, 0, 0, 1], port).into(), Some("Bearer wrong".into()));
    let path = STATUS.declared().at(&[api::DEFAULT_TAILNET]).unwrap();
    let ask = async || {
        let told = [("x-forwarded-for", "192.0.2.201")];
        at.whole("GET", &path, &told, String::new()).await.unwrap().status().as_u16()
    };
    assert_eq!(ask().await, 403, "not over plain HTTP");
    house.write(|file| {
        file.admin = Some(AdminFile { plain_http: Some(true), ..AdminFile::default() });
        file.proxies = Some(ProxiesFile { addresses: vec!["127.0.0.1".into()], header: None });
    });
    assert_eq!(house.reload().await.unwrap(), ["proxies.addresses", "admin.plain_http"]);
    assert_eq!(ask().await, 401, "this key is wrong, but keys are taken");
    assert!(!journal::lines_with("ip=192.0.2.201 ").is_empty(), "the proxy is believed");
    house.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_certificate_files_are_shown_and_broken_ones_refused() {
    let (old, new, files) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
    let address = free_address();
    let house = House::open(File {
        listen: Some(address.to_string()),
        server_url: Some(format!("https://localhost:{}", address.port())),
        tls: Some(old.files(files.path(), "old", "localhost")),
        ..without_relay()
    })
    .await;
    let url = house.server.ready().server_url.clone();
    let next = new.files(files.path(), "new", "localhost");
    let torn = control::config::TlsFile {
        key_file: house.file.lock().unwrap().tls.clone().unwrap().key_file,
        ..next.clone()
    };
    house.write(|file| file.tls = Some(torn));
    let problem = house.reload().await.unwrap_err();
    assert!(problem.errors[0].message.starts_with("tls: "), "{problem:?}");
    harness::Server::find(&url, Some(old.trusted())).await.unwrap();
    house.write(|file| file.tls = Some(next));
    let applied = soon("the reload", house.reload()).await.unwrap();
    assert_eq!(applied, ["tls.cert_file", "tls.key_file", "tls"]);
    harness::Server::find(&url, Some(new.trusted())).await.unwrap();
    house.server.stop().await;
}
