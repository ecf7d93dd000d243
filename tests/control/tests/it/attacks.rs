//! Attacks that other control servers fell for, each played by a hostile caller. `docs/reference/attacks.md` names the test of
//! every one of them; those that have no better place are here.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use api::{OPERATIONS, node, policy, server, user};
use harness::Identity;
use serde_json::json;

use crate::{
    admin::{Admin, reusable},
    device::Device,
    house::{House, PATIENCE, POLICY, Setup, at_rest, config, durable, eventually, find, set_policy},
    waiting::person,
};

const PAGE: &str = include_str!("../../../../docs/reference/attacks.md");
/// Ids that no object has.
const IDS: [&str; 12] = [
    "0",
    "-1",
    "9223372036854775808",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "%20",
    "null",
    "undefined",
    "1.0",
    "1e0",
    "%00",
    "%2e%2e%2f1",
];

#[test]
fn every_attack_has_a_test_that_exists() {
    let rows: Vec<_> = PAGE.lines().filter(|line| line.starts_with("| ") && line.contains("`")).collect();
    let numbers: Vec<_> = rows.iter().map(|row| row.split('|').nth(1).unwrap().trim().to_owned()).collect();
    assert_eq!(numbers, (1..=15).map(|n| n.to_string()).collect::<Vec<_>>());
    for row in rows {
        for name in row.split('|').nth(3).unwrap().split('`').skip(1).step_by(2) {
            let (file, test) = name.rsplit_once("::").unwrap();
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(format!("tests/it/{}.rs", file.replace("::", "/")));
            let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert!(text.contains(&format!("fn {test}(")), "{name} is not in {}", path.display());
        }
    }
}

#[test]
fn every_guard_is_named_and_has_a_patch() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guards");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut numbers: Vec<_> = files.map(|name| name.split('-').next().unwrap().to_owned()).collect();
    numbers.sort();
    let rows = PAGE.lines().filter(|line| line.starts_with("| ") && line.contains("`"));
    let more = PAGE.lines().filter(|line| line.starts_with("- "));
    let column = |row: &str| row.split('|').nth(4).unwrap().to_owned();
    let mut named: Vec<_> = rows
        .map(column)
        .chain(more.map(|line| line[2..4].to_owned()))
        .flat_map(|cell| cell.split(',').map(|n| n.trim().to_owned()).collect::<Vec<_>>())
        .filter(|number| !number.is_empty())
        .collect();
    named.sort();
    assert_eq!(named, numbers);
}

/// Attack 9.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_called_by_an_id_that_nothing_has_touches_nothing() {
    let house = House::open().await;
    for login in ["alice", "bob"] {
        person(&house, login).await;
    }
    let bobs = house.admin.key(&api::key::Create { user: Some("bob".into()), ..reusable() }).await;
    house.member("laptop").await;
    let before = durable(&house.world());
    let by_id = OPERATIONS.iter().filter(|operation| {
        operation.writes && ["user", "node", "key", "apikey", "login"].contains(&operation.noun)
    });
    let mut played = 0;
    for operation in by_id.filter(|operation| operation.path.matches('{').count() == 2) {
        for id in IDS {
            let path = operation.path.replace("{tailnet}", "default");
            let (head, rest) = path.split_once('{').unwrap();
            let path = format!("{head}{id}{}", rest.split_once('}').unwrap().1);
            let answer = house.admin.raw(&operation.method.to_string(), &path, String::new()).await;
            let (status, body) = answer.unwrap();
            assert!(status.is_client_error(), "{} {path}: {status} {body}", operation.method);
            assert_eq!(durable(&house.world()), before, "{} {path}", operation.method);
            played += 1;
        }
    }
    assert!(played >= 10 * IDS.len(), "only {played} calls");

    house.admin.call(&user::DELETE, &["alice"], &()).await.unwrap();
    house.join(Identity::random().unwrap(), &bobs, "bobs").await;
    house.close().await;
}

/// Attack 13: what is in force then is the last policy that was set, as the log has it.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_empty_or_gone_opens_nothing() {
    let house = House::open().await;
    let members = [house.member("a").await, house.member("b").await];
    let island = house.island("c").await;
    let empty = house.admin.call(&policy::SET, &[], &policy::Edit::of("")).await.unwrap_err();
    assert!([400, 422].contains(&empty.status), "{empty:?}");
    let address = house.address;
    let folder = house.close().await;
    for gone in ["policy = ''", "policy = ' '", "policy = NULL"] {
        at_rest(folder.path()).await;
        let database = rusqlite::Connection::open(folder.path().join("mesh.db")).unwrap();
        database.execute_batch(&format!("UPDATE tailnet SET {gone}")).unwrap();
        drop(database);
        let server = control::Server::start(config(folder.path(), address, Setup::default())).await.unwrap();
        let at = find(address).await;
        let seen = async |device: &Device| {
            let map = device.again(&at).await.map().await;
            assert!(map.node.is_some());
            map.peers.unwrap_or_default().len()
        };
        for member in &members {
            assert_eq!(seen(member).await, 1, "{gone}");
        }
        assert_eq!(seen(&island).await, 0, "{gone}");
        let admin = Admin::local(server.ready().socket.clone());
        let status = admin.call(&server::STATUS, &[], &()).await.unwrap();
        let is_said = status.policy_unreadable || !status.policy_set || !status.warnings.is_empty();
        assert!(is_said, "{gone}: {status:?}");
        server.stop().await;
    }
    let fresh = House::bare(Setup::default()).await;
    assert!(fresh.world().classes.compiled().rules().is_empty(), "nor does a first start open anything");
    fresh.close().await;
}

/// Attack 13, worse: no trace of the policy's text is left.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_lost_from_row_and_log_opens_nothing() {
    let house = House::open().await;
    let members = [house.member("a").await, house.member("b").await];
    assert_eq!(members[0].map().await.peers.unwrap().len(), 1, "the policy lets them see each other");
    let address = house.address;
    let folder = house.close().await;
    at_rest(folder.path()).await;
    let database = rusqlite::Connection::open(folder.path().join("mesh.db")).unwrap();
    database.execute_batch("UPDATE tailnet SET policy = NULL; DELETE FROM event").unwrap();
    drop(database);

    let server = control::Server::start(config(folder.path(), address, Setup::default())).await.unwrap();
    let at = find(address).await;
    for member in &members {
        let map = member.again(&at).await.map().await;
        assert!(map.node.is_some() && map.peers.is_none_or(|peers| peers.is_empty()));
        let opened = map.packet_filters.values().flatten().flatten().count();
        assert_eq!(opened, 0, "{:?}", map.packet_filters);
    }
    let admin = Admin::local(server.ready().socket.clone());
    let status = admin.call(&server::STATUS, &[], &()).await.unwrap();
    assert!(status.policy_unreadable || !status.warnings.is_empty(), "{status:?}");
    set_policy(&admin, POLICY).await;
    assert_eq!(members[0].again(&at).await.map().await.peers.unwrap().len(), 1, "the way back");
    server.stop().await;
}

/// Attack 14.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_becomes_a_person_of_the_policy_by_a_name_and_no_name_stops_a_start() {
    let house = House::open().await;
    let text = r#"{
        "tagOwners": {"tag:member": [], "tag:island": []},
        "groups": {"group:ops": ["alice@example.com"]},
        "hosts": {"vault": "100.64.0.99"},
        "acls": [{"action": "accept", "src": ["group:ops", "alice@example.com"], "dst": ["tag:member:22"]}],
    }"#;
    set_policy(&house.admin, text).await;
    person(&house, "alice@example.com").await;
    let target = house.member("target").await.myself().await.id;
    let lookalikes = [
        "ALICE@example.com",
        "alice@example.com ",
        "alice@example.com\u{200b}",
        "\u{430}lice@example.com",
        "alice",
        "alice@example.com.evil.example",
        "group:ops",
        "tag:member",
        "autogroup:admin",
        "*",
    ];
    let mut known = Vec::new();
    for login in lookalikes {
        let create = user::Create { login: login.into(), display_name: Some("alice@example.com".into()) };
        let Ok(created) = house.admin.call(&user::CREATE, &[], &create).await else { continue };
        let login = created.outcome.user.login;
        let rename = user::Rename { login: "alice@example.com".into() };
        assert!(house.admin.call(&user::RENAME, &[&login], &rename).await.is_err(), "{login:?}");
        known.push(login);
    }
    assert!(!known.is_empty(), "one of them is a name like any other");
    let mut devices = Vec::new();
    for (login, hostname) in known.iter().zip(["vault", "alice@example.com", "group:ops", "target"]) {
        let guest = crate::waiting::Guest::come(&house, Identity::random().unwrap(), hostname).await;
        let node = guest.let_in(&house, &crate::waiting::to_user(login)).await;
        assert_eq!(node.user.as_deref(), Some(login.as_str()));
        devices.push(guest.device);
    }
    let before = durable(&house.world());
    let house = house.restart().await;
    assert_eq!(durable(&house.world()), before);
    for device in devices {
        let peers = device.again(&house.at).await.map().await.peers.unwrap_or_default();
        assert!(peers.iter().all(|peer| peer.id != target), "{} sees what is alice's", device.hostname);
    }
    house.close().await;
}

/// Attack 11: whatever happens to those whom a viewer may not see, no message to it says anything of them.
#[tokio::test(flavor = "multi_thread")]
async fn no_message_says_anything_of_who_is_hidden() {
    let house = House::open().await;
    let [viewer, seen] = [house.member("viewer").await, house.member("seen").await];
    let mut secrets = vec!["hidden".to_owned(), "203.0.113.".into(), "10.77.".into()];
    let mut hidden = Vec::new();
    for n in 0..3 {
        let device = house.island(&format!("hidden{n}")).await;
        let node = device.myself().await;
        secrets.extend([node.addresses.v4.to_string(), node.addresses.v6.to_string()]);
        secrets.extend([device.me.node.to_string(), device.me.machine_key().to_string()]);
        hidden.push((node.id, device));
    }
    let ids: Vec<_> = hidden.iter().map(|(id, _)| json!(id)).collect();
    let mut listener = viewer.listen().await;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let heard = tokio::spawn(async move {
        let mut messages = Vec::new();
        while let Some(message) = listener.heard().await {
            let is_last = serde_json::to_string(&message).unwrap().contains("\"last.");
            messages.push(message);
            counted.store(messages.len(), Ordering::SeqCst);
            if is_last {
                return messages;
            }
        }
        panic!("the stream ended after {messages:?}");
    });
    let mut streams: Vec<_> = hidden.iter().map(|_| None).collect();
    for step in 0_u16..120 {
        let place = usize::from(step) % hidden.len();
        let (id, device) = &hidden[place];
        match (step / 3) % 6 {
            0 => {
                device.report(&[&format!("203.0.113.{}:{step}", step % 250 + 1)], 900 + u32::from(step)).await
            }
            1 => streams[place] = Some(device.listen().await),
            2 => {
                let mut report = device.me.report(&device.hostname, &[], 0);
                let route = format!("10.77.{step}.0/24").parse().unwrap();
                report.hostinfo.as_mut().unwrap().routable_ips = vec![route];
                device.client.lite_update(&report).await.unwrap();
                let choice = api::route::Choice { node: id.to_string(), prefixes: vec![route] };
                house.admin.call(&api::route::APPROVE, &[], &choice).await.unwrap();
            }
            3 => {
                let rename = node::Rename { name: format!("hidden-{step}") };
                house.admin.call(&node::RENAME, &[&id.to_string()], &rename).await.unwrap();
            }
            4 => streams[place] = None,
            _ => {
                let nobody = POLICY.replace("tag:member:*", "tag:member:22");
                set_policy(&house.admin, if step % 2 == 0 { &nobody } else { POLICY }).await;
                let before = count.load(Ordering::SeqCst);
                seen.report(&[&format!("192.0.2.1:{}", 1000 + step)], 900).await;
                eventually("something is heard", || count.load(Ordering::SeqCst) > before).await;
            }
        }
    }
    let rename = node::Rename { name: "last".into() };
    house.admin.call(&node::RENAME, &["seen"], &rename).await.unwrap();
    let messages = tokio::time::timeout(PATIENCE, heard).await.expect("the last rename").unwrap();
    assert!(messages.len() > 5, "{messages:?}");
    for message in messages {
        let text = serde_json::to_string(&message).unwrap();
        let found = secrets.iter().find(|secret| text.contains(secret.as_str()));
        assert_eq!(found, None, "{text}");
        let whole = serde_json::to_value(&message).unwrap();
        let named = mentioned(&whole);
        assert!(ids.iter().all(|id| !named.contains(id)), "{named:?} of {ids:?}: {text}");
    }
    house.close().await;
}

/// Ids of nodes that a message names, whatever for.
fn mentioned(message: &serde_json::Value) -> Vec<serde_json::Value> {
    let list = |key: &str| message[key].as_array().cloned().unwrap_or_default();
    let of = |key: &str, id: &str| list(key).iter().map(|entry| entry[id].clone()).collect::<Vec<_>>();
    let keys = |key: &str| {
        let map = message[key].as_object().cloned().unwrap_or_default();
        map.keys().filter_map(|id| id.parse::<u64>().ok()).map(|id| json!(id)).collect::<Vec<_>>()
    };
    let peers = ["Peers", "PeersChanged"].into_iter().flat_map(|key| of(key, "ID"));
    let gone = list("PeersRemoved").into_iter().chain(of("PeersChangedPatch", "NodeID"));
    let flags = ["OnlineChange", "PeerSeenChange"].into_iter().flat_map(keys);
    peers.chain(gone).chain(flags).collect()
}
