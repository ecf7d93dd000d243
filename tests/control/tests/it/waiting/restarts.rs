//! A server that stops while a device waits.

use std::fs;

use api::login;
use harness::Identity;

use super::{Guest, person, to_user, told};
use crate::{
    device::Device,
    house::{House, binary::Binary, free_address},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_login_survives_a_restart_of_the_server() {
    let house = House::open().await;
    person(&house, "alice").await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    let house = house.restart().await;
    let device = guest.device.again(&house.at).await;
    assert_eq!(told(&device.register(None).await), guest.url);
    let guest = Guest { device, ..guest };
    let node = guest.let_in(&house, &to_user("alice")).await;

    let house = house.restart().await;
    let again = house.admin.call(&login::APPROVE, &[guest.code()], &to_user("alice")).await.unwrap();
    assert!(!again.changed && again.outcome.node.id == node.id);
    assert!(house.admin.call(&login::LIST, &[], &()).await.unwrap().logins.is_empty());
    house.admin.call(&api::node::DELETE, &[&node.id.to_string()], &()).await.unwrap();
    let gone = house.admin.call(&login::APPROVE, &[guest.code()], &to_user("alice")).await.unwrap_err();
    assert_eq!(gone.code, "not_found", "a code lets a device in once");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_a_device_was_told_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let server = Binary::start(folder.path(), address, "warn").await;
    let device = Device::connect(&server.at, Identity::random().unwrap(), "laptop").await;
    let url = told(&device.register(None).await);
    server.kill().await;
    let server = Binary::start(folder.path(), address, "warn").await;
    assert_eq!(told(&device.again(&server.at).await.register(None).await), url);
    assert!(
        server.stop().await.success(),
        "{}",
        fs::read_to_string(folder.path().join("server.log")).unwrap()
    );
}
