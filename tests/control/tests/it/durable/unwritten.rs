//! A log that cannot be written: every change is refused, nothing is changed, and devices do not notice.

use api::{apikey, event, node, user};
use rusqlite::Connection;

use crate::house::{House, durable};

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_logged_is_refused_and_devices_go_on() {
    let house = House::open().await;
    let laptop = house.member("laptop").await;
    let mut stream = laptop.listen().await;
    house.member("server").await;
    stream.until("its peer", |m| m.peers().len() == 1).await;
    let id = stream.go.node().unwrap().id;
    let before = durable(&house.world());
    let head = house.admin.call(&event::VERIFY, &[], &()).await.unwrap().head.unwrap();

    // Somebody else writes and does not come to an end.
    let other = Connection::open(house.folder().join("mesh.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let create = user::Create { login: "alice".into(), display_name: None };
    let rename = node::Rename { name: "renamed".into() };
    let (person, name) = tokio::join!(
        house.admin.call(&user::CREATE, &[], &create),
        house.admin.call(&node::RENAME, &["laptop"], &rename),
    );
    for problem in [person.unwrap_err(), name.unwrap_err()] {
        assert_eq!((problem.status, problem.code.as_str()), (503, "unavailable"), "{problem:?}");
        assert!(problem.detail.contains("nothing was changed"), "{problem:?}");
    }
    assert_eq!(durable(&house.world()), before);
    assert_eq!(house.admin.call(&event::VERIFY, &[], &()).await.unwrap().head.unwrap(), head);
    assert!(house.world().nodes.get(id).is_some_and(|n| n.online()), "its stream is open");

    other.execute_batch("ROLLBACK").unwrap();
    house.admin.call(&user::CREATE, &[], &create).await.unwrap();
    house.admin.call(&apikey::CREATE, &[], &apikey::Create::default()).await.unwrap();
    house.admin.call(&node::RENAME, &["server"], &rename).await.unwrap();
    stream.until("what happens next", |m| m.peers().values().any(|p| p.name.starts_with("renamed."))).await;
    house.close().await;
}
