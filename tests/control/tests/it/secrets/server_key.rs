//! Another Noise key for the server: both are accepted until nobody needs the one before.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use api::{Problem, backup, code, event, server, server_key};
use harness::{Client, Identity, Server};
use ident::MachineKey;

use crate::{
    admin::{Admin, reusable},
    device::Device,
    durable::{other_key, start_fails, write_private},
    house::binary::Binary,
    house::{House, eventually, find, free_address, furnish},
};

const BEFORE: &str = "noise-previous.key";

/// The server as a client sees it that fetched this key.
fn knowing(at: &Server, key: MachineKey) -> Server {
    let mut server = at.clone();
    server.key = key;
    server
}

async fn rotate(admin: &Admin) -> server_key::ServerKey {
    let change = admin.call(&server_key::ROTATE, &[], &()).await.unwrap();
    assert!(change.changed && !change.check);
    change.outcome
}

async fn retire(admin: &Admin, force: bool) -> Result<bool, Problem> {
    let change = admin.call(&server_key::RETIRE, &[], &server_key::Retire { force }).await?;
    Ok(change.changed)
}

/// Which key each device uses, by its name.
async fn uses(admin: &Admin) -> Vec<(String, server_key::Uses)> {
    let shown = admin.call(&server_key::SHOW, &[], &()).await.unwrap();
    shown.previous.unwrap().devices.into_iter().map(|device| (device.name, device.uses)).collect()
}

async fn opens(at: &Server) -> bool {
    Client::connect(at, &Identity::random().unwrap().machine).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_keys_are_accepted_until_nobody_needs_the_one_before() {
    use server_key::Uses::{New, Old, Unseen};
    let mut house = House::open().await;
    let (stays, away) = (house.member("stays").await, house.member("away").await);
    away.map().await;
    let mut stream = stays.listen().await;
    let old = house.at.clone();

    let tried =
        house.admin.raw("POST", "/api/mesh/v1/tailnet/default/server/key/rotate?check=true", "".into());
    assert!(tried.await.unwrap().1.contains("\"changed\":true"));
    assert_eq!(find(house.address).await.key, old.key, "it was only tried");
    let told = rotate(&house.admin).await;
    assert_eq!(told.previous.as_ref().unwrap().key, old.key);
    house.at = find(house.address).await;
    assert!(house.at.key == told.key && told.key != old.key);
    let again = house.admin.call(&server_key::ROTATE, &[], &()).await.unwrap_err();
    assert_eq!((again.status, &*again.code), (409, code::TWO_KEYS));

    // The one that was connected goes on, hears of another, and comes back with the key that it knows.
    house.member("newcomer").await.map().await;
    stream.until("the newcomer is told", |model| model.peers().len() == 2).await;
    stays.again(&old).await.map().await;
    let expected =
        [("stays", Old), ("away", Unseen), ("newcomer", New)].map(|(name, uses)| (name.to_owned(), uses));
    assert_eq!(uses(&house.admin).await, expected);
    drop(stream);

    let house = house.restart().await;
    assert_eq!(uses(&house.admin).await, expected, "a restart knows what was seen");
    let status = house.admin.call(&server::STATUS, &[], &()).await.unwrap();
    assert_eq!((status.public_key, status.previous_key), (told.key, Some(old.key)));
    let warned = status.warnings.iter().find(|w| w.contains("previous Noise key")).expect("a warning");
    assert!(warned.contains("stays, away") || warned.contains("2 devices"), "{warned}");
    let held = house.admin.call(&backup::PROVE, &[], &()).await.unwrap();
    assert_eq!((held.proof.public_key, held.proof.previous_key), (told.key, Some(old.key)));
    assert!(held.files.iter().any(|file| file.name == format!("data/{BEFORE}")));

    let refused = retire(&house.admin, false).await.unwrap_err();
    assert_eq!((refused.status, &*refused.code), (409, code::KEY_IN_USE));
    assert!(refused.detail.contains("stays") && refused.detail.contains("away"), "{refused:?}");
    for device in [&stays, &away] {
        device.again(&house.at).await.map().await;
    }
    assert!(uses(&house.admin).await.iter().all(|(_, uses)| *uses == New));
    assert_eq!(retire(&house.admin, false).await, Ok(true));
    assert_eq!(retire(&house.admin, false).await, Ok(false), "once is enough");
    assert!(opens(&house.at).await && !opens(&old).await);
    assert!(!house.folder().join(BEFORE).exists());
    let house = house.restart().await;
    assert!(opens(&house.at).await && !opens(&knowing(&house.at, old.key)).await);
    let kinds = ["server_key_rotated", "server_key_retired"];
    let log = house.admin.call(&event::LIST, &[], &event::Query::default()).await.unwrap().events;
    for kind in kinds {
        assert_eq!(log.iter().filter(|row| row.kind == kind).count(), 1, "{kind}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_force_whoever_uses_the_key_before_is_cut_off_at_once() {
    let mut house = House::open().await;
    let device = house.member("left-behind").await;
    let mut stream = device.listen().await;
    rotate(&house.admin).await;
    let old = house.at.clone();
    house.at = find(house.address).await;
    let other = house.member("restarted").await;
    let mut kept = other.listen().await;
    assert_eq!(retire(&house.admin, true).await, Ok(true));
    stream.ends().await;
    kept.until("it is told that the other one is gone", |model| !model.peers().is_empty()).await;
    assert!(!opens(&old).await);
    let log = house.admin.call(&event::LIST, &[], &event::Query::default()).await.unwrap().events;
    let noted = log.iter().find(|row| row.kind == "server_key_retired").unwrap();
    assert!(noted.event.to_string().contains("left_behind"), "{noted:?}");
    assert_eq!(device.again(&house.at).await.map().await.node.unwrap().name, "left-behind.mesh.internal.");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_keys_and_the_database_belong_together() {
    let house = House::open().await;
    let first = fs::read(house.folder().join("noise.key")).unwrap();
    rotate(&house.admin).await;
    let folder = house.close().await;
    let path = |name: &str| folder.path().join(name);
    let (key, before) = (fs::read(path("noise.key")).unwrap(), fs::read(path(BEFORE)).unwrap());
    assert_eq!(before, first);
    fs::remove_file(path(BEFORE)).unwrap();
    start_fails(folder.path(), "is missing, but the database", "from the same backup").await;
    let other = other_key(&before);
    let wrong = "is not the key that the database was made with";
    for (name, bytes, right) in
        [(BEFORE, &other, &before), (BEFORE, &key, &before), ("noise.key", &first, &key)]
    {
        write_private(&path(name), bytes);
        start_fails(folder.path(), wrong, "from the same backup").await;
        write_private(&path(name), right);
    }
    // A key that no rotation of this database knows is not taken away.
    let server =
        control::Server::start(crate::house::config(folder.path(), free_address(), Default::default())).await;
    let server = server.unwrap();
    let admin = Admin::local(server.ready().socket.clone());
    assert_eq!(retire(&admin, true).await, Ok(true));
    server.stop().await;
    write_private(&path(BEFORE), &other);
    start_fails(folder.path(), wrong, "from the same backup").await;
    assert!(path(BEFORE).exists());
}

/// Rotates and retires again and again until the server is gone; counts the answers.
async fn turn_on(admin: Admin, answers: Arc<AtomicU64>) {
    let path = |verb: &str| format!("/api/mesh/v1/tailnet/default/server/key/{verb}");
    let force = r#"{"force":true}"#;
    loop {
        let Ok(_) = admin.raw("POST", &path("rotate"), String::new()).await else { return };
        answers.fetch_add(1, Ordering::SeqCst);
        let Ok(_) = admin.raw("POST", &path("retire"), force.to_owned()).await else { return };
        answers.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_starts_and_accepts_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let server = Binary::start(folder.path(), address, "warn").await;
    furnish(&server.admin).await;
    let key = server.admin.key(&reusable()).await;
    let device = Device::connect(&server.at, Identity::random().unwrap(), "laptop").await;
    assert!(device.register(Some(&key)).await.machine_authorized);
    server.kill().await;
    let rounds: u64 = if std::env::var_os("MESHCTL_TEST_FULL").is_some() { 100 } else { 8 };
    let mut keys = std::collections::BTreeSet::new();
    for round in 0..rounds {
        let server = Binary::start(folder.path(), address, "warn").await;
        let answers = Arc::new(AtomicU64::new(0));
        let turning = tokio::spawn(turn_on(server.admin.clone(), answers.clone()));
        // Some of the kills come in the middle of the first turn.
        eventually("the turns before", || answers.load(Ordering::SeqCst) >= round % 4).await;
        tokio::time::sleep(Duration::from_millis(round * 37 % 40)).await;
        server.kill().await;
        turning.await.unwrap();

        let server = Binary::start(folder.path(), address, "warn").await;
        let told = server.admin.call(&server_key::SHOW, &[], &()).await.unwrap();
        assert_eq!(told.key, server.at.key);
        keys.insert(told.key);
        device.again(&server.at).await.map().await;
        match &told.previous {
            Some(previous) => {
                device.again(&knowing(&server.at, previous.key)).await.map().await;
            }
            None => assert!(!there(folder.path(), BEFORE)),
        }
        assert!(!there(folder.path(), "noise-next.key"));
        assert!(server.admin.call(&event::VERIFY, &[], &()).await.unwrap().intact);
        server.kill().await;
    }
    assert!(keys.len() > 2, "nothing was rotated: {keys:?}");
}

fn there(folder: &Path, name: &str) -> bool {
    folder.join("data").join(name).exists()
}
