//! What people type.

use std::fs;

use control::config::{File, KeysFile};
use harness::{Identity, Server};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    cli::{POLICY, Stage},
    house,
};

/// A device that has joined with this key and offers a subnet.
async fn router(stage: &Stage, key: &str) -> crate::device::Device {
    let url = format!("https://{}", stage.house.address);
    let at = Server::find(&url, Some(stage.authority.trusted())).await.unwrap();
    let device = house::join(&at, key, "router").await;
    let mut request = Identity::register_request(&device.me, None, "router");
    request.hostinfo.as_mut().unwrap().routable_ips = vec!["10.1.0.0/16".parse().unwrap()];
    assert!(device.client.register(&request).await.unwrap().error.is_empty());
    device
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_api_keys() {
    let stage = Stage::plain().await;
    assert_eq!(stage.ok(&["users", "create", "alice", "--display-name", "Alice"])["name"], "alice");
    stage.ok(&["users", "create", "bob@example.com", "--email", "bob@example.com"]);
    stage.refused(&["users", "create", "alice"], "exists already");
    let users = stage.ok(&["users", "list"]);
    assert_eq!((list(&users).len(), &users[1]["email"]), (2, &"bob@example.com".into()));
    assert_eq!(stage.ok(&["users", "rename", "--identifier", "1", "--new-name", "alicia"])["name"], "alicia");
    stage.ok(&["users", "destroy", "--name", "bob@example.com"]);
    assert_eq!(list(&stage.ok(&["users", "list"])).len(), 1);
    let table = stage.run(&["users", "list"]);
    assert!(table.stdout.contains("alicia"), "{table:?}");

    let key = stage.ok(&["apikeys", "create", "--expiration", "24h"]);
    assert!(key.as_str().unwrap().starts_with("mk-api-2-"), "{key}");
    let keys = stage.ok(&["apikeys", "list"]);
    assert_eq!((list(&keys).len(), &keys[1]["prefix"]), (2, &"mk-api-2-***".into()));
    stage.ok(&["apikeys", "expire", "--prefix", "mk-api-2-***"]);
    stage.ok(&["apikeys", "delete", "--id", "2"]);
    stage.refused(&["apikeys", "expire", "--id", "77"], "there is no API key 77");
    let void = key.as_str().unwrap();
    let address = stage.house.address.to_string();
    let void = [("HEADSCALE_CLI_ADDRESS", address.as_str()), ("HEADSCALE_CLI_API_KEY", void)];
    let said = stage.run_with(&["users", "list"], &void);
    assert!(said.code != Some(0) && said.stderr.contains("Unauthenticated"), "{said:?}");
    stage.house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_and_keys() {
    let keys = Some(KeysFile { allow_untagged: Some(true) });
    let stage = Stage::set(File { keys, ..house::without_relay() }).await;
    stage.ok(&["users", "create", "alice"]);
    let made = stage.ok(&["preauthkeys", "create", "--tags", "tag:member", "--reusable", "--user", "1"]);
    let device = router(&stage, made["key"].as_str().unwrap()).await;
    let keys = stage.ok(&["preauthkeys", "list"]);
    assert_eq!((&keys[0]["key"], &keys[0]["used"]), (&"mk-auth-1-***".into(), &true.into()));

    let nodes = stage.ok(&["nodes", "list"]);
    assert_eq!((list(&nodes).len(), &nodes[0]["given_name"]), (1, &"router".into()));
    assert_eq!(nodes[0]["machine_key"], device.me.machine_key().to_string());
    let table = stage.run(&["nodes", "list"]);
    assert!(table.stdout.contains("router") && table.stdout.contains("tag:member"), "{table:?}");
    assert_eq!(stage.ok(&["nodes", "list-routes"])[0]["available_routes"][0], "10.1.0.0/16");
    let node = stage.ok(&["nodes", "approve-routes", "--identifier", "1", "--routes", "10.1.0.0/16"]);
    assert_eq!(node["approved_routes"][0], "10.1.0.0/16");
    assert_eq!(stage.ok(&["nodes", "rename", "gate", "--identifier", "1"])["given_name"], "gate");
    assert_eq!(
        stage.ok(&["nodes", "tag", "--identifier", "1", "--tags", "tag:island"])["tags"][0],
        "tag:island"
    );
    let until = (Timestamp::now() + SignedDuration::from_hours(24 * 30)).to_string();
    let node = stage.ok(&["nodes", "expire", "--identifier", "1", "--expiry", &until]);
    assert!(node["expiry"]["seconds"].is_u64(), "{node}");
    assert!(stage.ok(&["nodes", "expire", "--identifier", "1", "--disable"]).get("expiry").is_none());
    stage.ok(&["nodes", "expire", "--identifier", "1"]);
    assert!(device.register(None).await.node_key_expired);
    stage.ok(&["nodes", "delete", "--identifier", "1"]);
    assert!(stage.ok(&["nodes", "list"]).as_array().is_none_or(Vec::is_empty));
    stage.refused(&["nodes", "rename", "x", "--identifier", "1"], "there is no node 1");

    let untagged = stage.ok(&["preauthkeys", "create", "--user", "1"]);
    router(&stage, untagged["key"].as_str().unwrap()).await;
    let nodes = stage.ok(&["nodes", "list"]);
    assert_eq!((list(&nodes).len(), &nodes[0]["user"]["name"]), (1, &"alice".into()));

    stage.ok(&["preauthkeys", "expire", "--id", "1"]);
    stage.ok(&["preauthkeys", "delete", "--id", "1"]);
    stage.refused(&["preauthkeys", "expire", "--id", "9"], "there is no key 9");
    stage.house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_tags_is_refused_in_words_that_help() {
    let stage = Stage::plain().await;
    stage.ok(&["users", "create", "alice"]);
    stage.refused(
        &["preauthkeys", "create", "--user", "1"],
        "roles: island (tag:island); member (tag:member)",
    );
    stage.refused(&["preauthkeys", "create", "--tags", "tag:island"], "could reach nothing");
    stage.house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_that_wait() {
    let stage = Stage::plain().await;
    stage.ok(&["users", "create", "alice"]);
    let code = |letter: &str| format!("hskey-authreq-{}", letter.repeat(24));
    for (letter, name) in [("A", "one"), ("b", "two"), ("7", "three")] {
        let words = ["debug", "create-node", "--user", "alice", "--name", name, "--key", &code(letter)];
        assert_eq!(stage.ok(&words)["name"], name);
    }
    let node = stage.ok(&["auth", "register", "--user", "alice", "--auth-id", &code("A")]);
    assert_eq!((&node["given_name"], &node["user"]["name"]), (&"one".into(), &"alice".into()));
    let node = stage.ok(&["nodes", "register", "--user", "alice", "--key", &code("b")]);
    assert_eq!(node["given_name"], "two");
    stage.refused(&["auth", "approve", "--auth-id", &code("7")], "nobody said whose device this is");
    stage.ok(&["auth", "reject", "--auth-id", &code("7")]);
    stage.refused(&["auth", "register", "--user", "alice", "--auth-id", &code("7")], "there is no login");
    assert_eq!(list(&stage.ok(&["nodes", "list"])).len(), 2);
    stage.house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy() {
    let stage = Stage::plain().await;
    let said = stage.run(&["policy", "get"]);
    assert_eq!((said.code, said.stdout.trim_end()), (Some(0), POLICY), "{said:?}");
    let file = |name: &str, text: &str| {
        let path = stage.folder().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let wider = POLICY.replace(r#""src": ["tag:member"]"#, r#""src": ["*"]"#);
    let (wider, wrong) =
        (file("wider.hujson", &wider), file("wrong.hujson", r#"{"acls": [{"action": "deny"}]}"#));
    assert_eq!(stage.run(&["policy", "check", "--file", &wider]).stdout.trim(), "Policy is valid");
    stage.refused(&["policy", "check", "--file", &wrong], "line 1, column");
    stage.refused(&["policy", "set", "--file", &wrong], "parsing policy from bytes");
    let said = stage.run(&["policy", "set", "--file", &wider]);
    assert_eq!((said.code, said.stdout.trim()), (Some(0), "Policy updated."), "{said:?}");
    assert!(stage.run(&["policy", "get"]).stdout.contains(r#""src": ["*"]"#));
    stage.house.close().await;
}
