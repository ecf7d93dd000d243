//! SIGKILL at any moment: what was acknowledged is there, nothing is there twice, the log is whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use api::{event, key, node};
use harness::{Client, Identity};
use ident::MachineKey;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    admin::{Admin, reusable, single_use},
    house::binary::{Binary, launch},
    house::{PATIENCE, eventually, free_address, furnish},
};

fn kills() -> u32 {
    if std::env::var_os("MESHCTL_TEST_FULL").is_some() { 100 } else { 5 }
}

/// What the server has said yes to.
#[derive(Default)]
struct Ledger {
    joined: Vec<Identity>,
    keys: BTreeSet<String>,
    /// Id and addresses as an earlier start told them.
    seen: BTreeMap<MachineKey, String>,
}

impl Ledger {
    fn acknowledged(&self) -> usize {
        self.joined.len() + self.keys.len()
    }
}

type Shared = Arc<Mutex<Ledger>>;

/// Joins machine after machine until the server is gone; every third time the same machine with another node key.
async fn join_on(at: harness::Server, key: String, ledger: Shared) {
    for n in 0.. {
        let me = match n % 3 {
            2 => ledger.lock().unwrap().joined.last().cloned().map(|i| i.rotated().unwrap()),
            _ => None,
        };
        let fresh = me.is_none();
        let me = me.unwrap_or_else(|| Identity::random().unwrap());
        let Ok(client) = Client::connect(&at, &me.machine).await else { return };
        let Ok(answer) = client.register(&me.register_request(Some(&key), "same")).await else { return };
        assert_eq!(answer.error, "");
        let mut ledger = ledger.lock().unwrap();
        if !fresh {
            ledger.joined.retain(|other| other.machine_key() != me.machine_key());
        }
        ledger.joined.push(me);
    }
}

/// Makes key after key until the server is gone.
async fn mint_on(admin: Admin, ledger: Shared) {
    let path = key::CREATE.declared().at(&["default"]).unwrap();
    let body = serde_json::to_string(&single_use()).unwrap();
    while let Ok((status, text)) = admin.raw("POST", &path, body.clone()).await {
        assert_eq!(status, 200, "{text}");
        let created: api::Changed<key::Created> = serde_json::from_str(&text).unwrap();
        ledger.lock().unwrap().keys.insert(created.outcome.secret.unwrap().expose().to_owned());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_every_kill() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let server = Binary::start(folder.path(), address, "warn").await;
    furnish(&server.admin).await;
    let key = server.admin.key(&reusable()).await;
    server.kill().await;

    let ledger = Shared::default();
    for round in 0..kills() {
        let server = Binary::start(folder.path(), address, "warn").await;
        let mut busy = JoinSet::new();
        // One writer each: a rotation must not race another one of the same machine.
        busy.spawn(join_on(server.at.clone(), key.clone(), ledger.clone()));
        for _ in 0..2 {
            busy.spawn(mint_on(server.admin.clone(), ledger.clone()));
        }
        let wanted = ledger.lock().unwrap().acknowledged() + 6;
        eventually("something to lose", || ledger.lock().unwrap().acknowledged() >= wanted).await;
        sleep(Duration::from_millis(u64::from(round * 137 % 400))).await;
        server.kill().await;
        while let Some(ended) = busy.join_next().await {
            ended.unwrap();
        }
        check(folder.path(), address, &ledger).await;
    }
    let ledger = ledger.lock().unwrap();
    assert!(!ledger.joined.is_empty() && !ledger.keys.is_empty(), "one of both writers was never answered");
}

/// Compares a fresh start with the ledger; ends by a kill too.
async fn check(folder: &Path, address: SocketAddr, ledger: &Shared) {
    let server = Binary::start(folder, address, "warn").await;
    let admin = &server.admin;
    let nodes = admin.call(&node::LIST, &[], &()).await.unwrap().nodes;
    no_duplicates(&nodes);
    let verdict = admin.call(&event::VERIFY, &[], &()).await.unwrap();
    assert!(verdict.intact, "{verdict:?}");

    let (joined, keys) = {
        let mut ledger = ledger.lock().unwrap();
        let by_machine: BTreeMap<_, _> = nodes.iter().map(|n| (n.machine_key, n)).collect();
        for me in ledger.joined.clone() {
            let node = by_machine.get(&me.machine_key()).expect("an acknowledged node is there");
            let said = format!("{} {} {}", node.id, node.ipv4, node.ipv6);
            let before = ledger.seen.entry(me.machine_key()).or_insert_with(|| said.clone());
            assert_eq!(*before, said);
        }
        (ledger.joined.clone(), ledger.keys.clone())
    };
    for me in joined.iter().rev().take(10) {
        let client = Client::connect(&server.at, &me.machine).await.unwrap();
        let answer = client.register(&me.register_request(None, "same")).await.unwrap();
        let known = nodes.iter().any(|n| n.node_key == me.node);
        // The last rotation may have been carried out without its answer having arrived.
        assert!(answer.machine_authorized || !known, "{answer:?}");
    }
    for secret in keys.iter().rev().take(10) {
        let verify = key::Verify { secret: key::Plaintext::new(secret.clone()) };
        assert!(admin.call(&key::VERIFY, &[], &verify).await.unwrap().works);
    }
    let listed = admin.call(&key::LIST, &[], &()).await.unwrap().keys;
    let ids: BTreeSet<_> = listed.iter().map(|k| k.id).collect();
    assert_eq!(ids.len(), listed.len());
    let lost = keys.iter().filter(|s| !ids.contains(&s.split('-').nth(2).unwrap().parse().unwrap()));
    assert_eq!(lost.count(), 0, "acknowledged keys are gone");
    server.kill().await;
}

fn no_duplicates(nodes: &[node::Node]) {
    let count = |of: fn(&node::Node) -> String| nodes.iter().map(of).collect::<BTreeSet<_>>().len();
    assert_eq!(count(|n| n.id.to_string()), nodes.len());
    assert_eq!(count(|n| n.name.clone()), nodes.len());
    assert_eq!(count(|n| n.ipv4.to_string()), nodes.len());
    assert_eq!(count(|n| n.ipv6.to_string()), nodes.len());
    assert_eq!(count(|n| n.machine_key.to_string()), nodes.len());
    assert_eq!(count(|n| n.node_key.to_string()), nodes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_is_killed_leaves_a_folder_that_works_or_says_why_not() {
    let mut worked = 0;
    for round in 0..2 * kills() {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let mut child = launch(folder.path(), address, "warn");
        sleep(Duration::from_millis(u64::from(round * 7 % 90))).await;
        child.kill().await.unwrap();
        let key = folder.path().join("data/noise.key");
        let before = std::fs::read(&key).ok();

        let mut again = launch(folder.path(), address, "warn");
        let ready = tokio::time::timeout(PATIENCE, async {
            loop {
                if harness::Server::find(&format!("http://{address}"), None).await.is_ok() {
                    return true;
                }
                if again.try_wait().unwrap().is_some() {
                    return false;
                }
                sleep(Duration::from_millis(20)).await;
            }
        });
        if ready.await.expect("neither ready nor ended") {
            worked += 1;
        } else {
            let said = std::fs::read_to_string(folder.path().join("server.log")).unwrap();
            assert!(said.contains("is missing") && said.contains("hint:"), "{said}");
        }
        if let Some(before) = before {
            assert_eq!(std::fs::read(&key).unwrap(), before, "the key stays the key");
        }
        again.kill().await.unwrap();
    }
    assert!(worked > 0);
}
