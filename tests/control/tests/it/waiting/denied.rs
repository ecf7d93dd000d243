//! Devices that somebody refuses.

use api::login;
use harness::Identity;

use super::{
    Guest, come_again,
    pages::{Browser, api_key, page_of},
    person, to_user, told,
};
use crate::house::{House, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_is_told_so_and_not_waited_for() {
    let house = House::open().await;
    person(&house, "alice").await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    let other = Guest::come(&house, Identity::random().unwrap(), "other").await;
    let waiting = guest.wait();
    let path = login::DENY.declared().at(&["default", guest.code()]).unwrap();
    let (status, tried) =
        house.admin.raw("POST", &format!("{path}?check=true"), String::new()).await.unwrap();
    assert!(status == 200 && tried.contains(r#""changed":true,"check":true"#), "{tried}");
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!waiting.is_finished(), "it was only tried");

    let answer = house.admin.call(&login::DENY, &[guest.code()], &()).await.unwrap();
    assert!(answer.changed && answer.outcome.login.hostname == "laptop");
    let heard = tokio::time::timeout(PATIENCE, waiting).await.expect("it was not told").unwrap();
    assert!(heard.error.contains("an operator of this mesh has refused this device"), "{heard:?}");
    assert!(!heard.machine_authorized && heard.auth_url.is_empty());
    assert!(guest.device.register(None).await.error.contains("has refused"), "and again");
    let waiting = house.admin.call(&login::LIST, &[], &()).await.unwrap().logins;
    assert_eq!(waiting.iter().map(|l| l.code.as_str()).collect::<Vec<_>>(), [other.code()]);
    for outcome in [
        house.admin.call(&login::APPROVE, &[guest.code()], &to_user("alice")).await.map(drop),
        house.admin.call(&login::DENY, &[guest.code()], &()).await.map(drop),
    ] {
        assert_eq!(outcome.unwrap_err().code, "not_found");
    }
    let house = house.restart().await;
    let device = guest.device.again(&house.at).await;
    assert!(device.register(None).await.error.contains("has refused"), "a restart forgets nothing");
    let fresh = come_again(&house, &Guest { device, url: guest.url.clone() }).await;
    assert_ne!(fresh.url, guest.url, "with other keys it may ask again");
    assert!(house.world().nodes.is_empty());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_is_not_refused_any_more() {
    let house = House::open().await;
    person(&house, "alice").await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    guest.let_in(&house, &to_user("alice")).await;
    let refused = house.admin.call(&login::DENY, &[guest.code()], &()).await.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (409, "exists"));
    assert!(guest.device.register(None).await.machine_authorized);
    let stranger = Guest::come(&house, Identity::random().unwrap(), "other").await;
    assert_eq!(told(&stranger.device.register(None).await), stranger.url);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_has_a_button_that_refuses_and_only_its_own_reader_presses_it() {
    let house = House::open().await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    let (path, mut browser) = (page_of(&guest), Browser::new(&house));
    let (key, _) = api_key(&house).await;
    let forged = [("csrf", "x"), ("answer", "no")];
    assert_eq!(browser.send(&path, &browser.own, &forged).await.status(), 401);
    browser.sign_in_on(&path, &key).await;
    let csrf = browser.csrf(&path).await;
    let form = [("csrf", csrf.as_str()), ("answer", "no")];
    assert_eq!(browser.send(&path, "http://evil.example", &form).await.status(), 403);
    assert_eq!(browser.send(&path, &browser.own, &forged).await.status(), 403);
    assert_eq!(house.admin.call(&login::LIST, &[], &()).await.unwrap().logins.len(), 1);
    let waiting = guest.wait();
    let done = browser.send(&path, &browser.own, &form).await;
    assert!(done.status() == 200 && done.body().contains("Refused"), "{}", done.body());
    let heard = tokio::time::timeout(PATIENCE, waiting).await.expect("it was not told").unwrap();
    assert!(heard.error.contains("has refused"), "{heard:?}");
    let late = [("csrf", csrf.as_str()), ("owner", "role:member")];
    assert_eq!(browser.send(&path, &browser.own, &late).await.status(), 404);
    assert!(house.world().nodes.is_empty());
    house.close().await;
}
