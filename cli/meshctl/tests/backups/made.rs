//! Making, verifying, listing, and what is not let through.

use std::{fs, os::unix::fs::PermissionsExt, process::Command, thread};

use crate::house::House;

#[test]
fn a_backup_of_a_busy_server_is_whole_private_and_holds_everything() {
    let house = House::open();
    let archive = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 0..20 {
                house.ok(&["user", "create", &format!("u{n}")]);
            }
        });
        let archive = house.backup();
        writer.join().unwrap();
        archive
    });
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&archive), 0o600);
    let name = archive.to_str().unwrap();
    let found = house.ok(&["backup", "verify", name, "--age-identity", "ops.key"]);
    assert_eq!(
        (&found["restorable"], &found["proof"]["first_bad"]),
        (&true.into(), &serde_json::Value::Null)
    );
    let status = house.status();
    assert_eq!(found["proof"]["database"], status["database"]);
    assert_eq!(found["proof"]["public_key"], status["public_key"]);
    let listed = house.ok(&["backup", "list", "backups"]);
    assert!(listed["backups"][0]["receipt"]["verified"].is_string(), "{listed}");
    let noted = house.ok(&["event", "list", "--kind", "backup_made"]);
    assert_eq!(noted["events"][0]["event"]["recipients"][0], house.recipient.as_str());
    let left: Vec<_> =
        fs::read_dir(house.path("mesh-data")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("scratch")), "{left:?}");
    let secrets = ["noise.key", "pepper-1.key", "derp.key"];
    let sealed = fs::read(&archive).unwrap();
    for key in secrets.map(|name| fs::read(house.path("mesh-data").join(name)).unwrap()) {
        assert!(!sealed.windows(key.len()).any(|window| window == key), "a key is in the clear");
    }
}

#[test]
fn other_tools_open_it_too() {
    let house = House::open();
    let archive = house.backup();
    let script = format!("set -o pipefail; age -d -i ops.key {} | tar tf -", archive.display());
    let listed =
        Command::new("bash").args(["-c", &script]).current_dir(house.folder.path()).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).unwrap();
    for name in [
        "manifest.json",
        "mesh.db",
        "data/noise.key",
        "data/derp.key",
        "data/pepper-1.key",
        "beside/config.yaml",
        "beside/policy.hujson",
    ] {
        assert!(names.lines().any(|line| line == name), "{name} is not in {names}");
    }
}

#[test]
fn what_was_touched_is_refused_and_the_wrong_key_opens_nothing() {
    let house = House::open();
    let archive = house.backup();
    let whole = fs::read(&archive).unwrap();
    let verify = |name: &str| house.refused(&["backup", "verify", name, "--age-identity", "ops.key"]);
    let put = |name: &str, bytes: &[u8]| fs::write(house.path(name), bytes).unwrap();
    put("short.age", &whole[..whole.len() - 100]);
    assert_eq!(verify("short.age"), (1, "damaged".to_owned()));
    let cut_between_chunks = (whole.len() - 1) / (64 << 10) * (64 << 10);
    put("cut.age", &whole[..cut_between_chunks]);
    assert_eq!(verify("cut.age"), (1, "damaged".to_owned()));
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    put("flipped.age", &flipped);
    assert_eq!(verify("flipped.age"), (1, "damaged".to_owned()));
    put("text.age", b"hello");
    assert_eq!(verify("text.age"), (1, "damaged".to_owned()));
    fs::copy(archive.with_extension("age.json"), house.path("flipped.age.json")).unwrap();
    assert_eq!(verify("flipped.age"), (1, "damaged".to_owned()), "its receipt tells already");

    let stranger = age::x25519::Identity::generate();
    house.write("stranger.key", age::secrecy::ExposeSecret::expose_secret(&stranger.to_string()));
    let name = archive.to_str().unwrap();
    let (code, why) = house.refused(&["backup", "verify", name, "--age-identity", "stranger.key"]);
    assert_eq!((code, why.as_str()), (1, "wrong_key"));
    assert_eq!(house.refused(&["backup", "verify", name]).0, 2, "no key is named");
    let to_nobody = ["backup", "create", "--to", "backups", "--recipient", "age1nobody"];
    assert_eq!(house.refused(&to_nobody), (2, "bad_recipient".to_owned()));
}

#[test]
fn so_many_are_kept_and_the_newest_that_was_verified() {
    let house = House::open();
    let first = house.backup();
    house.ok(&["backup", "verify", first.to_str().unwrap(), "--age-identity", "ops.key"]);
    house.backup();
    let made =
        house.ok(&["backup", "create", "--to", "backups", "--recipient", &house.recipient, "--keep", "1"]);
    assert_eq!(made["deleted"].as_array().unwrap().len(), 1, "{made}");
    let listed = house.ok(&["backup", "list", "backups"]);
    let files: Vec<_> =
        listed["backups"].as_array().unwrap().iter().map(|b| b["file"].as_str().unwrap()).collect();
    assert_eq!(
        files,
        [
            &format!("backups/{}", first.file_name().unwrap().to_str().unwrap()),
            made["file"].as_str().unwrap()
        ]
    );
}

#[test]
fn a_stopped_server_is_read_without_one_and_a_running_one_is_not() {
    let mut house = House::open();
    let recipient = house.recipient.clone();
    let words = ["backup", "create", "--offline", "--data-dir", "mesh-data", "--config", "server.yaml"];
    let to = ["--out", "off.tar.age", "--age-identity", "ops.key", "--recipient", &recipient];
    let words = [&words[..], &to].concat();
    assert_eq!(house.refused(&words), (1, "in_use".to_owned()));
    house.stop();
    let made = house.ok(&words);
    assert!(made["receipt"]["verified"].is_string(), "{made}");
    assert_eq!(made["manifest"]["proof"]["roles"], 1);
    assert_eq!(house.refused(&words).1, "failed", "a backup is not written over");
    house.start();
    let noted = house.ok(&["event", "list", "--kind", "backup_made"]);
    assert_eq!(noted["events"][0]["event"]["recipients"][0], recipient.as_str(), "{noted}");
    assert!(noted["events"][0]["actor"].as_str().unwrap().starts_with("offline:uid="), "{noted}");
    assert_eq!(noted["events"].as_array().unwrap().len(), 1, "what came to nothing is not noted: {noted}");
    assert_eq!(house.ok(&["event", "verify"])["intact"], true);
    let seq = noted["events"][0]["seq"].as_u64().unwrap();
    assert_eq!(made["manifest"]["proof"]["head"]["seq"], seq, "the backup knows of itself");
}

#[test]
fn only_its_own_scope_opens_it() {
    let house = House::open();
    house.ok(&["apikey", "create", "--scope", "all:read", "--out", "reader.key"]);
    house.ok(&["apikey", "create", "--scope", "backup:write", "--out", "keeper.key"]);
    let url = house.url();
    let by = |key: &'static str| {
        [
            "backup",
            "create",
            "--to",
            "b",
            "--recipient",
            &house.recipient,
            "--server",
            &url,
            "--api-key-file",
            key,
        ]
    };
    assert_eq!(house.refused(&by("reader.key")), (1, "lacks_scope".to_owned()));
    house.ok(&by("keeper.key"));
}
