//! Canaries: every secret is used in every way, at the most talkative log level, and found nowhere.

mod server_key;

use std::{fs, path::Path};

use api::{apikey, event, key, node, server, user};
use harness::Identity;
use http::Method;
use serde_json::json;

use crate::{
    admin::{Admin, reusable, single_use},
    device::Device,
    house::binary::Binary,
    house::{free_address, furnish},
    waiting::{pages::Browser, told},
};

/// Texts that must be nowhere: secrets as they are carried, and the bytes of keys in hex.
struct Canaries(Vec<(String, String)>);

impl Canaries {
    /// The secret part of a credential.
    fn credential(&mut self, what: &str, text: &str) {
        let secret = text.splitn(4, '-').nth(3).unwrap();
        assert!(secret.len() >= 43);
        self.0.push((what.to_owned(), secret.to_owned()));
        self.0.push((format!("{what}, its tail"), secret[8..].to_owned()));
    }

    fn key_file(&mut self, path: &Path) {
        let text = fs::read_to_string(path).unwrap();
        let digits = text.trim_end().split_once(':').unwrap().1.to_owned();
        self.0.push((path.display().to_string(), digits));
    }

    /// What credentials are compared with: in the database, and nowhere else.
    fn digests(&mut self, database: &Path) {
        let text = fs::read(database).unwrap();
        let text = String::from_utf8_lossy(&text);
        for rest in text.split("\"digest\":\"").skip(1) {
            // What is left of a row that has moved may be cut off.
            let digest = rest.get(..64).filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
            self.0.extend(digest.map(|text| ("a digest".to_owned(), text.to_owned())));
        }
    }

    fn found_in(&self, hay: &[u8]) -> Vec<&str> {
        let inside =
            |canary: &str| hay.windows(canary.len()).any(|w| w.eq_ignore_ascii_case(canary.as_bytes()));
        self.0.iter().filter(|(_, canary)| inside(canary)).map(|(what, _)| what.as_str()).collect()
    }
}

/// Uses keys well and badly; gives back everything that was answered.
async fn use_them(server: &Binary, address: std::net::SocketAddr, canaries: &mut Canaries) -> String {
    let mut said = String::new();
    let admin = &server.admin;
    let (used, _) = admin.created_key(&single_use()).await;
    let (revoked, revoked_id) = admin.created_key(&single_use()).await;
    let reusable = admin.key(&reusable()).await;
    admin.call(&key::REVOKE, &[&revoked_id], &()).await.unwrap();
    for text in [&used, &revoked, &reusable] {
        canaries.credential("an auth key", text);
    }
    for (n, text) in [&used, &used, &revoked, &reusable].into_iter().enumerate() {
        let device = Device::connect(&server.at, Identity::random().unwrap(), "canary-host").await;
        let answer = device.register(Some(text)).await;
        assert_eq!(answer.machine_authorized, n == 0 || n == 3);
        said += &format!("{answer:?}");
        if n == 3 {
            said += &format!("{:?}", device.map().await);
            device.report(&["192.0.2.1:1"], 900).await;
        }
        said += &misplaced(&device, text).await;
    }
    let verify = key::Verify { secret: key::Plaintext::new(used.clone()) };
    said += &format!("{:?}", admin.call(&key::VERIFY, &[], &verify).await.unwrap());

    let create = apikey::Create::default();
    let created = admin.call(&apikey::CREATE, &[], &create).await.unwrap();
    let api_key = created.outcome.secret.unwrap().expose().to_owned();
    canaries.credential("an API key", &api_key);
    let other = if &api_key[20..21] == "x" { "y" } else { "x" };
    let wrong = format!("{}{other}{}", &api_key[..20], &api_key[21..]);
    let path = node::LIST.declared().at(&["default"]).unwrap();
    for header in
        [format!("Bearer {api_key}"), format!("Bearer {wrong}"), api_key.clone(), format!("Basic {api_key}")]
    {
        said += &Admin::remote(address, Some(header)).raw("GET", &path, String::new()).await.unwrap().1;
    }
    for (path, body) in [
        (key::CREATE.declared().at(&["default"]).unwrap(), json!({"role": used}).to_string()),
        (key::VERIFY.declared().at(&["default"]).unwrap(), json!({"secret": [used]}).to_string()),
        (key::VERIFY.declared().at(&["default"]).unwrap(), format!("{{\"secret\": {used}")),
    ] {
        let answer = admin.raw("POST", &path, body).await.unwrap().1;
        // A secret in the place of a name is the caller's own word, and it alone hears it again.
        said += if answer.contains("there is no role") { "" } else { &answer };
    }
    said += &refused(admin, address, canaries, &api_key).await;
    sign_in(server, address, canaries, &api_key).await;
    for (operation, path) in [
        (&node::LIST.declared(), "nodes"),
        (&key::LIST.declared(), "keys"),
        (&apikey::LIST.declared(), "apikeys"),
    ] {
        let (status, list) =
            admin.raw("GET", &operation.at(&["default"]).unwrap(), String::new()).await.unwrap();
        assert!(status == 200 && list.contains(path), "{list}");
        said += &list;
    }
    said + &admin
        .raw("GET", &event::LIST.declared().at(&["default"]).unwrap(), String::new())
        .await
        .unwrap()
        .1
}

/// Secrets in a call that is refused and noted, and what the other listener tells.
async fn refused(
    admin: &Admin,
    address: std::net::SocketAddr,
    canaries: &mut Canaries,
    secret: &str,
) -> String {
    let scopes = ["node:read".parse::<ident::Scope>().unwrap()].into_iter().collect();
    let create = apikey::Create { scopes: Some(scopes), ..apikey::Create::default() };
    let created = admin.call(&apikey::CREATE, &[], &create).await.unwrap().outcome;
    let narrow = created.secret.unwrap().expose().to_owned();
    canaries.credential("a narrow API key", &narrow);
    let by = Admin::remote(address, Some(format!("Bearer {narrow}")));
    let mut said = String::new();
    for path in [
        format!("{}?check={secret}", user::CREATE.declared().at(&["default"]).unwrap()),
        apikey::REVOKE.declared().at(&["default", secret]).unwrap(),
    ] {
        let (status, text) = by.raw("POST", &path, json!({"login": secret}).to_string()).await.unwrap();
        assert_eq!(status, 403);
        said += &text;
    }
    let at = admin.call(&server::STATUS, &[], &()).await.unwrap().monitor.unwrap();
    for path in ["/metrics", "/health", "/nowhere"] {
        said += &Admin::remote(at, None).raw("GET", path, String::new()).await.unwrap().1;
    }
    assert!(said.contains("meshctl_auth_failures_total"), "{said}");
    said
}

/// Somebody signs in on the page of a device that waits.
async fn sign_in(server: &Binary, address: std::net::SocketAddr, canaries: &mut Canaries, api_key: &str) {
    let device = Device::connect(&server.at, Identity::random().unwrap(), "guest").await;
    let url = told(&device.register(None).await);
    let page = &url[url.find("/register/").unwrap()..];
    let mut browser = Browser::at(address);
    assert_eq!(browser.sign_in_on(page, api_key).await.status(), 303);
    let csrf = browser.csrf(page).await;
    let form = [("csrf", csrf.as_str()), ("owner", "role:nobody")];
    assert_eq!(browser.send(page, &browser.own, &form).await.status(), 422);
    assert_eq!(browser.send(page, "http://evil.example", &form).await.status(), 403);
    let session = browser.cookie().unwrap().split_once('=').unwrap().1.to_owned();
    assert_eq!(session.len(), 43);
    canaries.0.push(("a session".into(), session));
    canaries.0.push(("what the forms of a session carry".into(), csrf));
}

/// The key where it does not belong: requests that cannot be read.
async fn misplaced(device: &Device, key: &str) -> String {
    use http_body_util::BodyExt;
    let bodies = [
        json!({"Version": 113, "Auth": key}).to_string(),
        json!({"Version": 113, "NodeKey": key}).to_string(),
        json!({"Version": 113, "Auth": {"AuthKey": [key]}}).to_string(),
        json!({"Version": 113, "Auth": {"AuthKey": format!("{key}x")}, "NodeKey": device.me.node})
            .to_string(),
        json!({"Version": 1, "Auth": {"AuthKey": key}, "NodeKey": device.me.node}).to_string(),
        format!("{{\"Auth\": {{\"AuthKey\": \"{key}"),
        key.to_owned(),
    ];
    let mut said = String::new();
    for body in bodies {
        for path in ["/machine/register", "/machine/map"] {
            let answer = device.client.call(Method::POST, path, body.clone().into_bytes()).await.unwrap();
            said += &String::from_utf8_lossy(&answer.into_body().collect().await.unwrap().to_bytes());
        }
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_logged_stored_or_told_again() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let server = Binary::start(folder.path(), address, "trace").await;
    furnish(&server.admin).await;
    let mut canaries = Canaries(Vec::new());
    let said = use_them(&server, address, &mut canaries).await;
    for name in ["noise.key", "derp.key", "pepper-1.key"] {
        canaries.key_file(&folder.path().join("data").join(name));
    }
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap_or_default();
    let live: Vec<_> = ["data/mesh.db", "data/mesh.db-wal"].map(read).concat();
    assert!(server.stop().await.success());
    let log = read("server.log");
    let stored = canaries.0.len();
    canaries.digests(&folder.path().join("data/mesh.db"));
    assert!(canaries.0.len() >= stored + 4, "digests were found");
    for (place, hay) in [("answers", said.as_bytes()), ("the log", &log)] {
        assert_eq!(canaries.found_in(hay), Vec::<&str>::new(), "in {place}");
    }
    canaries.0.truncate(stored);
    let places = [
        ("answers", said.into_bytes()),
        ("the log", log.clone()),
        ("the database while it was open", live),
        ("the database", read("data/mesh.db")),
    ];
    for (place, hay) in &places {
        assert_eq!(canaries.found_in(hay), Vec::<&str>::new(), "in {place}");
    }

    let planted = Canaries(vec![("host".into(), "canary-host".into())]);
    assert_eq!(planted.found_in(&places[0].1), ["host"], "the search finds what is there");
    assert_eq!(planted.found_in(&places[3].1), ["host"]);
    assert!(log.len() > 10_000, "the log was talkative: {} bytes", log.len());
    let failures = String::from_utf8_lossy(&log).matches("auth_fail").count();
    assert!(failures > 0, "failures are logged, without what was tried");
}
