//! What a stranger may try with a login: none of it lets anybody in, and none of it costs more than a place.

use api::login;
use harness::Identity;

use super::{Guest, follow_up, person, to_user, told};
use crate::{
    device::Device,
    house::{House, PATIENCE, eventually},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_login_of_another_machine_is_of_no_use() {
    let house = House::open().await;
    person(&house, "alice").await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    let thief = Device::connect(&house.at, Identity::random().unwrap(), "thief").await;
    let at_once = tokio::time::timeout(PATIENCE / 3, follow_up(&thief, &guest.url)).await;
    let own = told(&at_once.expect("the thief waits for the login of another"));
    assert_ne!(own, guest.url, "the thief gets a page of its own");
    let waiting = tokio::spawn({
        let (thief, own) = (thief.clone(), own.clone());
        async move { follow_up(&thief, &own).await }
    });
    let node = guest.let_in(&house, &to_user("alice")).await;
    assert_eq!(node.machine_key, guest.device.me.machine_key());
    assert_eq!(told(&follow_up(&thief, &guest.url).await), own);
    assert!(!waiting.is_finished(), "nobody has let the thief in");
    waiting.abort();
    assert_eq!(house.world().nodes.len(), 1);
    assert!(!thief.register(None).await.machine_authorized);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_key_of_another_machine_that_waits_gets_nobody_in() {
    let house = House::open().await;
    person(&house, "alice").await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    let stolen = Identity { node: guest.device.me.node, ..Identity::random().unwrap() };
    let thief = Guest::come(&house, stolen, "thief").await;
    assert_ne!(thief.url, guest.url);
    guest.let_in(&house, &to_user("alice")).await;
    let refused = house.admin.call(&login::APPROVE, &[thief.code()], &to_user("alice")).await.unwrap_err();
    assert_eq!(refused.code, "node_key_taken");
    assert!(!follow_up_now(&thief).await.machine_authorized);
    house.close().await;
}

/// Without waiting for an end.
async fn follow_up_now(guest: &Guest) -> wire::RegisterResponse {
    guest.device.register(None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_that_nobody_was_given_let_nobody_in() {
    let house = House::open().await;
    person(&house, "alice").await;
    Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    for code in ["", "x", "..", "aaaaaaaaaaaaaaaaaaaaaaaaaa", &"a".repeat(300), "🦀", "%00", "a/b"] {
        let answer = house.admin.call(&login::APPROVE, &[code], &to_user("alice")).await.unwrap_err();
        assert!(["not_found", "no_such_operation"].contains(&answer.code.as_str()), "{code:?}: {answer:?}");
    }
    assert!(house.world().nodes.is_empty());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_as_a_login_is_answered_with_a_page() {
    let house = House::open().await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    for nonsense in [
        "x",
        "/register/",
        "http://evil.example/register/aaaaaaaaaaaaaaaaaaaaaaaaaa",
        &"a".repeat(9000),
        "🦀\u{0}",
    ] {
        let answer = tokio::time::timeout(PATIENCE, follow_up(&guest.device, nonsense)).await.unwrap();
        assert_eq!(told(&answer), guest.url);
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_waited_for_by_one_request() {
    let house = House::open().await;
    person(&house, "alice").await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    let all: Vec<_> = (0..20).map(|_| guest.wait()).collect();
    eventually("the older ones are sent back to the page", || {
        all.iter().filter(|one| one.is_finished()).count() == 19
    })
    .await;
    house.admin.call(&login::APPROVE, &[guest.code()], &to_user("alice")).await.unwrap();
    let mut let_in = 0;
    for one in all {
        let answer = tokio::time::timeout(PATIENCE, one).await.expect("it hangs").unwrap();
        let_in += usize::from(answer.machine_authorized);
    }
    assert_eq!(let_in, 1);
    assert!(guest.device.register(None).await.machine_authorized);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_with_key_after_key_holds_few_places() {
    let house = House::open().await;
    let me = Identity::random().unwrap();
    for _ in 0..30 {
        Guest::come(&house, me.rotated().unwrap(), "laptop").await;
    }
    assert_eq!(house.admin.call(&login::LIST, &[], &()).await.unwrap().logins.len(), 8);
    Guest::come(&house, Identity::random().unwrap(), "neighbour").await;
    house.close().await;
}
