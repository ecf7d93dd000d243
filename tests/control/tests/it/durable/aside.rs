//! Records that a start cannot read: it starts, and the operator is told which and what to do.

use std::fs;

use api::{server, user};

use crate::house::{House, Setup, at_rest, config};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_start_sets_aside_is_told_with_its_remedy() {
    let house = House::open().await;
    for login in ["alice", "bobby"] {
        let create = user::Create { login: login.into(), display_name: None };
        house.admin.call(&user::CREATE, &[], &create).await.unwrap();
    }
    let laptop = house.member("laptop").await;
    let status = house.admin.call(&server::STATUS, &[], &()).await.unwrap();
    assert!(status.set_aside.is_empty() && status.set_aside_total == 0 && !status.policy_unreadable);
    let address = house.address;
    let folder = house.close().await;
    at_rest(folder.path()).await;

    let database = folder.path().join("mesh.db");
    let mut bytes = fs::read(&database).unwrap();
    // The policy twice: as it stands, and as the log has it.
    for (good, bad) in [
        (r#""login":"bobby""#, r#""lo!in":"bobby""#),
        (r#""acls": ["#, r#""acls": {"#),
        (r#"\"acls\": ["#, r#"\"acls\": {"#),
    ] {
        let at: Vec<_> =
            (0..bytes.len() - good.len()).filter(|i| bytes[*i..].starts_with(good.as_bytes())).collect();
        assert!(!at.is_empty(), "{good}");
        at.into_iter().for_each(|i| bytes[i..i + bad.len()].copy_from_slice(bad.as_bytes()));
    }
    fs::write(&database, bytes).unwrap();

    let server = control::Server::start(config(folder.path(), address, Setup::default())).await.unwrap();
    let admin = crate::admin::Admin::local(server.ready().socket.clone());
    let status = admin.call(&server::STATUS, &[], &()).await.unwrap();
    let [aside] = status.set_aside.as_slice() else { panic!("{:?}", status.set_aside) };
    assert_eq!((aside.noun.as_str(), aside.name.as_str(), status.set_aside_total), ("user", "bobby", 1));
    assert!(aside.remedy().contains("meshctl user create"));
    assert!(status.policy_unreadable && status.policy_set);
    let map = laptop.again(&crate::house::find(address).await).await.map().await;
    assert!(map.node.is_some() && map.peers.is_none_or(|peers| peers.is_empty()));
    let create = user::Create { login: "bobby".into(), display_name: None };
    admin.call(&user::CREATE, &[], &create).await.expect("the login is free again");
    crate::house::set_policy(&admin, crate::house::POLICY).await;
    let status = admin.call(&server::STATUS, &[], &()).await.unwrap();
    assert!(!status.policy_unreadable);
    server.stop().await;
}
