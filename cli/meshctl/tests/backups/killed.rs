//! SIGKILL in the midst of a restore.

use std::{path::Path, thread, time::Duration};

use crate::house::House;

/// Either a whole server is there, or keys without a database, on which none starts; an empty folder would become a new server.
fn is_sound(house: &House, known: &[&str]) {
    let data = house.path("mesh-data");
    let has = |name: &str| data.join(name).exists();
    if has("mesh.db") {
        let words = ["backup", "create", "--offline", "--data-dir", "mesh-data", "--check", "--recipient"];
        let found = house.ok(&[&words[..], &[&house.recipient]].concat());
        let database = found["manifest"]["proof"]["database"].as_str().unwrap();
        assert!(known.contains(&database), "{database}");
    } else {
        assert!(has("noise.key") && !has("first-start"), "a start would make a new server");
    }
}

fn database(house: &House, archive: &Path) -> String {
    let words = ["backup", "verify", archive.to_str().unwrap(), "--age-identity", "ops.key"];
    house.ok(&words)["proof"]["database"].as_str().unwrap().to_owned()
}

#[test]
fn at_any_moment_leaves_a_server_or_one_that_refuses_to_start_and_it_can_be_done_again() {
    let (mut house, mut other) = (House::open(), House::open());
    let ours = house.backup();
    other.recipient.clone_from(&house.recipient);
    let theirs = other.backup();
    house.stop();
    other.stop();
    let known = [database(&house, &ours), database(&house, &theirs)];
    let known = [known[0].as_str(), known[1].as_str()];
    for round in 0..12 {
        let archive = if round % 2 == 0 { &theirs } else { &ours };
        let words = ["backup", "restore", archive.to_str().unwrap(), "--force", "--age-identity", "ops.key"];
        let mut restore =
            house.command(&[&words[..], &["--data-dir", "mesh-data"]].concat()).spawn().unwrap();
        thread::sleep(Duration::from_millis(4 * round));
        let _ = restore.kill();
        restore.wait().unwrap();
        is_sound(&house, &known);
    }
    house.restore(&ours, &["--force"]);
    house.start();
    assert_eq!(house.status()["database"], known[0]);
}
