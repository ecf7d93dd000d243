//! The way back, and what it does to secrets.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::Value;

use crate::house::House;

fn ids(list: &Value) -> Vec<(String, String)> {
    let of = |one: &Value, member: &str| one[member].as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(|one| (of(one, "noun"), of(one, "id"))).collect()
}

fn key(house: &House, out: &str) -> String {
    house.ok(&["key", "create", "--role", "server", "--out", out])["key"]["id"].to_string()
}

#[test]
fn a_step_back_names_the_secrets_that_are_dead_and_those_that_are_alive_again() {
    let mut house = House::open();
    let (kept, revoked) = (key(&house, "kept.key"), key(&house, "revoked.key"));
    let archive = house.backup();
    house.ok(&["key", "revoke", &revoked]);
    let later = key(&house, "later.key");
    house.ok(&["apikey", "create", "--out", "later-api.key", "--description", "later"]);
    house.ok(&["user", "create", "later"]);
    let words = [
        "backup",
        "restore",
        archive.to_str().unwrap(),
        "--age-identity",
        "ops.key",
        "--data-dir",
        "mesh-data",
    ];
    assert_eq!(house.refused(&[&words[..], &["--force"]].concat()), (1, "in_use".to_owned()));
    house.stop();
    assert_eq!(house.refused(&words), (1, "not_empty".to_owned()));

    let tried = house.restore(&archive, &["--check"]);
    assert_eq!((&tried["check"], &tried["aside"]), (&true.into(), &Value::Null));
    let done = house.restore(&archive, &["--force"]);
    assert_eq!(done["returned"], tried["returned"]);
    let pair = |noun: &str, id: &str| (noun.to_owned(), id.to_owned());
    assert_eq!(ids(&done["returned"]["dead"]), [pair("key", &later), pair("apikey", "1")]);
    assert_eq!(ids(&done["returned"]["alive_again"]), [pair("key", &revoked)]);
    assert_eq!(done["another_server"], false);
    let aside = house.path(done["aside"].as_str().unwrap());
    assert!(aside.join("mesh.db").is_file() && aside.join("noise.key").is_file());
    let as_it_was = fs::read_to_string(house.path("mesh-data/restored/config.yaml")).unwrap();
    assert_eq!(as_it_was, fs::read_to_string(house.path("server.yaml")).unwrap());

    house.start();
    assert_eq!(house.ok(&["user", "list"])["users"].as_array().unwrap().len(), 0);
    let keys = house.ok(&["key", "list"]);
    let listed: Vec<_> = keys["keys"].as_array().unwrap().iter().map(|k| k["id"].to_string()).collect();
    assert_eq!(listed, [kept, revoked]);
    assert_eq!(house.ok(&["event", "verify"])["intact"], true);
}

#[test]
fn another_host_becomes_the_server_that_it_was() {
    let mut house = House::open();
    let before = house.status();
    let archive = house.backup();
    house.stop();
    fs::remove_dir_all(house.path("mesh-data")).unwrap();
    let done = house.restore(&archive, &[]);
    assert_eq!((&done["aside"], &done["returned"]), (&Value::Null, &Value::Null));
    house.start();
    let after = house.status();
    for member in ["database", "public_key"] {
        assert_eq!(before[member], after[member], "{member}");
    }
}

#[test]
fn account_and_certificate_of_an_authority_come_back() {
    let mut house = House::open();
    let folder = house.path("mesh-data/acme");
    fs::create_dir_all(&folder).unwrap();
    let names = ["account-0a1b.json", "certificate.pem"];
    for name in names {
        house.write(&format!("mesh-data/acme/{name}"), &format!("what is in {name}\n"));
    }
    let archive = house.backup();
    house.stop();
    fs::remove_dir_all(house.path("mesh-data")).unwrap();
    house.restore(&archive, &[]);
    for name in names {
        let path = folder.join(name);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("what is in {name}\n"));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn both_noise_keys_come_back_and_an_older_backup_says_what_it_strands() {
    let mut house = House::open();
    let older = house.backup();
    house.ok(&["server", "key", "rotate"]);
    let newer = house.backup();
    let status = house.status();
    house.stop();
    let done = house.restore(&older, &["--force"]);
    assert_eq!((&done["key_rotated"], &done["another_server"]), (&true.into(), &false.into()), "{done}");
    assert!(!house.path("mesh-data/noise-previous.key").exists());
    house.start();
    assert_eq!(house.status()["public_key"], status["previous_key"]);
    house.stop();
    house.restore(&newer, &["--force"]);
    house.start();
    for member in ["public_key", "previous_key"] {
        assert_eq!(house.status()[member], status[member], "{member}");
    }
}
