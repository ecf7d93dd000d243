//! What a folder remembers, and which folders a server refuses to start on.

mod aside;
mod disk;
mod kills;
mod unwritten;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use api::{apikey, event, key, node, route, user};
use control::Fault;
use harness::Identity;

use crate::{
    admin::{Admin, reusable, single_use},
    device::Device,
    house::{House, Setup, at_rest, config, durable, free_address, refusal},
};

/// Some of everything.
async fn live(house: &House) -> Vec<Device> {
    let create = user::Create { login: "alice@example.com".into(), display_name: None };
    house.admin.call(&user::CREATE, &[], &create).await.unwrap();
    let key = house.admin.key(&key::Create { user: Some("alice@example.com".into()), ..reusable() }).await;
    let mut devices = Vec::new();
    for n in 0..5 {
        devices.push(house.join(Identity::random().unwrap(), &key, &format!("n{n}")).await);
    }
    let (_, revoked) = house.admin.created_key(&single_use()).await;
    house.admin.call(&key::REVOKE, &[&revoked], &()).await.unwrap();
    let create = apikey::Create { description: "ci".into(), ..apikey::Create::default() };
    house.admin.call(&apikey::CREATE, &[], &create).await.unwrap();
    house.admin.call(&node::RENAME, &["n1"], &node::Rename { name: "other".into() }).await.unwrap();
    house
        .admin
        .call(&node::TAG, &["n2"], &node::Tags { tags: vec!["tag:island".parse().unwrap()] })
        .await
        .unwrap();
    house.admin.call(&node::EXPIRE, &["n3"], &()).await.unwrap();
    house.admin.call(&node::DELETE, &["n4"], &()).await.unwrap();
    devices[0].report(&["192.0.2.1:41641", "[2001:db8::7]:5"], 917).await;
    let mut request = devices[0].me.report("renamed-itself", &["192.0.2.1:41641", "[2001:db8::7]:5"], 917);
    request.hostinfo.as_mut().unwrap().routable_ips = vec!["10.1.0.0/16".parse().unwrap()];
    devices[0].client.lite_update(&request).await.unwrap();
    let choice =
        route::Choice { node: "renamed-itself".into(), prefixes: vec!["10.1.0.0/16".parse().unwrap()] };
    house.admin.call(&route::APPROVE, &[], &choice).await.unwrap();
    devices[1].log_out().await;
    devices
}

#[tokio::test(flavor = "multi_thread")]
async fn the_world_after_a_restart_is_the_world_before_it() {
    let house = House::open().await;
    let devices = live(&house).await;
    let before = house.world();
    let (seq, hash) = head(&house.admin).await;
    let house = house.restart().await;
    let after = house.world();
    assert_eq!(durable(&after), durable(&before));
    after.check_invariants().unwrap();
    for old in before.nodes.iter() {
        let new = after.nodes.get(old.id).unwrap();
        let told =
            |n: &world::Node| (n.live.endpoints.clone(), n.live.home_derp, n.live.disco, n.live.capver);
        assert_eq!(told(new), told(old), "{}", old.name);
        assert_eq!((new.expired, new.online()), (old.expired, old.online()), "{}", old.name);
    }
    assert_eq!(head(&house.admin).await, (seq, hash), "a restart changes nothing");
    let device = devices[0].again(&house.at).await;
    assert_eq!(device.myself().await.home_derp, 917);
    house.close().await;
}

/// Number and hash of the last event of an unbroken log.
async fn head(admin: &Admin) -> (u64, String) {
    let verdict = admin.call(&event::VERIFY, &[], &()).await.unwrap();
    assert!(verdict.intact, "{verdict:?}");
    let head = verdict.head.unwrap();
    assert_eq!(head.seq, verdict.checked);
    (head.seq, head.hash)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_in_the_log_before_it_is_seen() {
    let house = House::open().await;
    for n in 0..20 {
        let (before, _) = head(&house.admin).await;
        let me = Identity::random().unwrap();
        let key = house.admin.key(&single_use()).await;
        house.join(me, &key, &format!("n{n}")).await;
        let (after, _) = head(&house.admin).await;
        assert_eq!(after - before, 3, "a key made, a key used, a node registered");
    }
    house.close().await;
}

fn hinted(fault: Fault, message: &str, hint: &str) {
    let (said, advised) = (fault.to_string(), fault.hint().unwrap_or_default());
    assert!(said.contains(message), "{said}");
    assert!(advised.contains(hint), "{said}: {advised}");
}

pub async fn start_fails(folder: &Path, message: &str, hint: &str) {
    hinted(refusal(config(folder, free_address(), Setup::default())).await, message, hint);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_database_belong_together() {
    let house = House::open().await;
    house.member("laptop").await;
    let before = durable(&house.world());
    let folder = house.close().await;
    let path = |name: &str| folder.path().join(name);
    for key in ["noise.key", "derp.key", "pepper-1.key"] {
        let whole = fs::read(path(key)).unwrap();
        fs::remove_file(path(key)).unwrap();
        start_fails(folder.path(), "is missing, but the database", "from the same backup").await;
        assert!(!path(key).exists(), "no new {key} is made");

        write_private(&path(key), &other_key(&whole));
        start_fails(folder.path(), "is not the key that the database was made with", "from the same backup")
            .await;
        for broken in [&b""[..], b"privkey:", b"\0\0\0", &whole[..whole.len() / 2]] {
            write_private(&path(key), broken);
            start_fails(folder.path(), key, "from a backup").await;
            assert_eq!(fs::read(path(key)).unwrap(), broken, "the file stays as it is");
        }
        fs::write(path(key), &whole).unwrap();
        fs::set_permissions(path(key), fs::Permissions::from_mode(0o644)).unwrap();
        start_fails(folder.path(), "lets others read it", "0600").await;
        write_private(&path(key), &whole);
    }
    fs::rename(path("mesh.db"), path("mesh.away")).unwrap();
    start_fails(folder.path(), "is there, but the database", "restore the database").await;
    assert!(!path("mesh.db").exists(), "no empty database is made");
    fs::rename(path("mesh.away"), path("mesh.db")).unwrap();

    let again =
        control::Server::start(config(folder.path(), free_address(), Setup::default())).await.unwrap();
    assert_eq!(durable(&again.doors().hub.world()), before);
    again.stop().await;
}

/// A key like this one in form, and never equal to it: one hex digit of its middle is another.
pub fn other_key(whole: &[u8]) -> Vec<u8> {
    let mut other = whole.to_vec();
    let at = whole.len() - 32;
    assert!(whole[at].is_ascii_hexdigit(), "the middle of a key");
    other[at] = if whole[at] == b'0' { b'1' } else { b'0' };
    other
}

pub fn write_private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_server() {
    let house = House::open().await;
    hinted(house.intruder().await, "in use by another server", "stop it first");
    assert!(house.member("laptop").await.register(None).await.machine_authorized, "the first one goes on");
    house.restart().await.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_the_disk_is_for_its_owner_alone() {
    let house = House::open().await;
    house.member("laptop").await;
    let is_open = |path: &std::path::PathBuf| {
        let meta = fs::metadata(path).unwrap();
        meta.len() > 0 && meta.permissions().mode() & 0o077 != 0
    };
    let open: Vec<_> =
        fs::read_dir(house.folder()).unwrap().map(|entry| entry.unwrap().path()).filter(is_open).collect();
    assert_eq!(open, Vec::<std::path::PathBuf>::new());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_log_is_noticed() {
    let house = House::open().await;
    house.member("laptop").await;
    let (seq, _) = head(&house.admin).await;
    let folder = house.close().await;
    at_rest(folder.path()).await;
    let database = rusqlite::Connection::open(folder.path().join("mesh.db")).unwrap();
    let change =
        "UPDATE event SET body = replace(body, '\"laptop\"', '\"laptoq\"') WHERE kind = 'node_registered'";
    assert_eq!(database.execute(change, ()).unwrap(), 1);
    drop(database);
    let server =
        control::Server::start(config(folder.path(), free_address(), Setup::default())).await.unwrap();
    let admin = Admin::local(server.ready().socket.clone());
    let verdict = admin.call(&event::VERIFY, &[], &()).await.unwrap();
    assert!(!verdict.intact);
    assert!(verdict.first_bad.unwrap().seq <= seq);
    server.stop().await;
}
