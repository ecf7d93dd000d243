//! Credentials of the admin API over TCP: without a good one nothing opens.

use std::time::{Duration, Instant};

use api::{Method, OPERATIONS, apikey, node};

use crate::{admin::Admin, house::House};

async fn mint(house: &House, expiry_seconds: Option<u64>) -> (String, String) {
    let create = apikey::Create { expiry_seconds, ..apikey::Create::default() };
    let created = house.admin.call(&apikey::CREATE, &[], &create).await.unwrap().outcome;
    (created.secret.unwrap().expose().to_owned(), created.apikey.unwrap().id.to_string())
}

fn caller(house: &House, key: &str) -> Admin {
    Admin::remote(house.address, Some(format!("Bearer {key}")))
}

async fn opens(admin: &Admin) -> bool {
    match admin.call(&node::LIST, &[], &()).await {
        Ok(_) => true,
        Err(problem) => {
            assert_eq!((problem.status, problem.code.as_str()), (401, "unauthorized"));
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_good_key_opens_the_api() {
    let house = House::open().await;
    let (good, id) = mint(&house, None).await;
    assert!(opens(&caller(&house, &good)).await);

    let (other, other_id) = mint(&house, None).await;
    let (secret, other_secret) =
        (good.rsplit_once('-').unwrap().1, &other[format!("mk-api-{other_id}-").len()..]);
    let auth_key = house.admin.key(&crate::admin::reusable()).await;
    let wrong = [
        String::new(),
        "mk-api-".into(),
        format!("mk-api-{id}-{}", "A".repeat(43)),
        format!("mk-api-{id}-{other_secret}"),
        format!("mk-api-999999-{other_secret}"),
        format!("mk-api-0-{secret}"),
        format!("mk-auth-{id}-{secret}"),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        good.to_uppercase(),
        auth_key,
    ];
    for key in &wrong {
        assert!(!opens(&caller(&house, key)).await, "{key}");
    }
    for header in [None, Some(good.clone()), Some(format!("Basic {good}")), Some(format!("bearer{good}"))] {
        assert!(!opens(&Admin::remote(house.address, header.clone())).await, "{header:?}");
    }
    assert!(opens(&caller(&house, &good)).await);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_answers_without_a_key() {
    let house = House::open().await;
    let nobody = Admin::remote(house.address, None);
    for operation in OPERATIONS {
        let placeholders = operation.path.matches('{').count();
        let values = ["default", "1", "1"];
        let path = operation.at(&values[..placeholders]).unwrap();
        let (status, text) = nobody.raw(&operation.method.to_string(), &path, String::new()).await.unwrap();
        assert_eq!(status, 401, "{} {path}: {text}", operation.method);
    }
    assert!(OPERATIONS.iter().any(|o| o.method == Method::Delete));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_opens_nothing_from_then_on() {
    let house = House::open().await;
    let (key, id) = mint(&house, None).await;
    let (other, _) = mint(&house, None).await;
    let admin = caller(&house, &key);
    assert!(opens(&admin).await);
    house.admin.call(&apikey::REVOKE, &[&id], &()).await.unwrap();
    assert!(!opens(&admin).await);
    assert!(opens(&caller(&house, &other)).await, "another key is another key");
    let house = house.restart().await;
    assert!(!opens(&admin).await);
    assert!(opens(&caller(&house, &other)).await);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_key_opens_nothing() {
    let house = House::open().await;
    let begun = Instant::now();
    let (key, _) = mint(&house, Some(2)).await;
    let opened = opens(&caller(&house, &key)).await;
    assert!(opened || begun.elapsed() >= Duration::from_secs(2), "it lives for two seconds");
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert!(!opens(&caller(&house, &key)).await);
    for bad in [0, 367 * 86_400, u64::MAX] {
        let create = apikey::Create { expiry_seconds: Some(bad), ..apikey::Create::default() };
        assert_eq!(house.admin.call(&apikey::CREATE, &[], &create).await.unwrap_err().status, 422, "{bad}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_are_none_touch_nothing() {
    let house = House::open().await;
    let (key, _) = mint(&house, None).await;
    house.member("laptop").await;
    let before = crate::house::durable(&house.world());
    let ids = [
        "0",
        "-1",
        "9223372036854775808",
        "9007199254740992",
        "18446744073709551616",
        "null",
        "1.0",
        " ",
        "..",
        "%00",
    ];
    for id in ids {
        for operation in [&node::DELETE, &node::EXPIRE] {
            let problem = house.admin.call(operation, &[id], &()).await.unwrap_err();
            assert!(problem.status == 404 || problem.status == 400, "{id}: {problem:?}");
        }
        let problem = house.admin.call(&apikey::REVOKE, &[id], &()).await.unwrap_err();
        assert!(problem.status == 404 || problem.status == 400, "{id}: {problem:?}");
        let problem = house.admin.call(&api::key::REVOKE, &[id], &()).await.unwrap_err();
        assert!(problem.status == 404 || problem.status == 400, "{id}: {problem:?}");
    }
    assert_eq!(crate::house::durable(&house.world()), before);
    assert!(opens(&caller(&house, &key)).await);
    house.close().await;
}
