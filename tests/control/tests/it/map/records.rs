//! The watched file of extra names: what is good is told at once, what is not leaves what was.

use std::{fs, os::unix::fs::symlink, path::Path};

use api::{dns, server};
use harness::Model;

use crate::{
    device::Listener,
    house::{House, Setup},
};

fn write(path: &Path, text: &str) {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text).unwrap();
    fs::rename(&fresh, path).unwrap();
}

fn one(name: &str) -> String {
    format!(r#"[{{"name": "{name}", "type": "A", "value": "192.0.2.1"}}]"#)
}

/// The official Rust client takes no part in DNS.
fn has(model: &Model, name: &str) -> bool {
    model.dns().is_none_or(|dns| dns.extra_records.iter().map(|r| r.name.as_str()).eq([name]))
}

async fn trouble(house: &House, why: &str) {
    let by = std::time::Instant::now() + crate::house::PATIENCE;
    loop {
        let found = house.admin.call(&server::STATUS, &[], &()).await.unwrap().warnings;
        let said = found.iter().any(|w| w.starts_with("dns.records_file: ") && w.contains(why));
        if said || (why.is_empty() && found.is_empty()) {
            return;
        }
        assert!(std::time::Instant::now() < by, "{why:?} is not said: {found:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn names(house: &House) -> Vec<String> {
    let records = house.admin.call(&dns::LIST, &[], &()).await.unwrap().records;
    assert!(records.iter().all(|record| record.source == "file"));
    records.into_iter().map(|record| record.name).collect()
}

async fn hears(listener: &mut Listener, name: &str) {
    listener.until(name, |m| has(m, name)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_is_said_and_the_last_good_names_stay() {
    let setup = Setup {
        records_file: Some("records.json"),
        server_url: Some("http://control.example"),
        ..Setup::default()
    };
    let house = House::open_with(setup).await;
    let path = house.folder().join("records.json");
    trouble(&house, "No such file").await;
    let mut listener = house.member("a").await.listen().await;
    write(&path, &one("printer"));
    hears(&mut listener, "printer.mesh.internal").await;
    trouble(&house, "").await;

    let good = one("other.example");
    for (text, why) in [
        (good[..good.len() - 9].to_owned(), "line 1 column"),
        (String::new(), "line 1 column 0"),
        (" ".repeat((1 << 20) + 1), "larger than 1 MiB"),
        (one("bad name"), "bad name"),
        (one("control.example"), "the control server"),
        (one("a"), "the node a.mesh.internal exists already"),
        (r#"[{"name": "x", "type": "MX", "value": "192.0.2.1"}]"#.to_owned(), "record 1 (x)"),
    ] {
        write(&path, &text);
        trouble(&house, why).await;
        assert_eq!(names(&house).await, ["printer.mesh.internal"], "{why}");
    }
    fs::remove_file(&path).unwrap();
    trouble(&house, "No such file").await;
    symlink(house.folder(), &path).unwrap();
    trouble(&house, "no regular file").await;
    fs::remove_file(&path).unwrap();
    assert_eq!(names(&house).await, ["printer.mesh.internal"]);

    let house = house.restart().await;
    trouble(&house, "No such file").await;
    assert_eq!(names(&house).await, ["printer.mesh.internal"], "they outlive a restart");
    let mut listener = house.member("b").await.listen().await;
    // In place, in two parts.
    fs::write(&path, &good[..7]).unwrap();
    trouble(&house, "line 1 column").await;
    fs::write(&path, &good).unwrap();
    hears(&mut listener, "other.example").await;
    trouble(&house, "").await;
    house.close().await;
}
