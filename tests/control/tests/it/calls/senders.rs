//! Every operation called in ways in which none is: other methods, nobody's credentials, forged senders.

use std::collections::BTreeSet;

use api::{Declared, OPERATIONS, v1};

use super::{Tries, state};
use crate::{
    admin::Admin,
    house::{House, durable},
};

/// What a stranger says to be taken for somebody else.
const FORGED: [(&str, &str); 7] = [
    ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-for", "::1, 127.0.0.1, 100.64.0.1"),
    ("x-real-ip", "127.0.0.1"),
    ("forwarded", "for=127.0.0.1;by=127.0.0.1;proto=https"),
    ("x-forwarded-user", "admin"),
    ("x-original-url", "/version"),
    ("x-http-method-override", "GET"),
];

fn all() -> impl Iterator<Item = &'static Declared> {
    OPERATIONS.iter().chain(v1::OPERATIONS)
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_do_nothing_on_any_path() {
    let house = House::open().await;
    house.member("laptop").await;
    let before = state(&house).await;
    let mut tries = Tries::default();
    let known: BTreeSet<_> = all().map(|o| (o.method.to_string(), o.path)).collect();
    let paths: BTreeSet<_> = all().map(|o| o.path).collect();
    for template in paths {
        let at = super::path(template, "1");
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PURGE", "get", "POSTPOST"] {
            // A method of another path that fits this one, as `/apikey/expire` fits `/apikey/{prefix}`.
            let fits = |path: &str| {
                let (one, two) = (path.split('/'), template.split('/'));
                one.clone().count() == two.clone().count()
                    && one.zip(two).all(|(a, b)| a == b || a.starts_with('{'))
            };
            if known.iter().any(|(known, path)| known == method && fits(path)) {
                continue;
            }
            tries.refused(&house.admin, (method, &at, "{}"), &["method"]).await;
        }
    }
    tries.end(300);
    assert_eq!(state(&house).await, before);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_the_wrong_method_is_told_the_right_ones() {
    let house = House::open().await;
    let paths: BTreeSet<_> = all().map(|o| o.path).collect();
    for template in paths {
        let mut takes: BTreeSet<_> =
            all().filter(|o| o.path == template).map(|o| o.method.to_string()).collect();
        if takes.contains("GET") {
            takes.insert("HEAD".into());
        }
        let at = super::path(template, "1");
        for method in ["PATCH", "TRACE", "PURGE", "OPTIONS"] {
            let answer = house.admin.whole(method, &at, &[], String::new()).await.unwrap();
            assert_eq!(answer.status(), 405, "{method} {at}: {}", answer.body());
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            let told = answer.headers()["allow"].to_str().unwrap().split(',').map(str::trim);
            assert_eq!(told.map(str::to_owned).collect::<BTreeSet<_>>(), takes, "{at}");
        }
    }
    for nowhere in ["/api/mesh/v1/tailnet/default/nothing", "/api/v1/nothing"] {
        let answer = house.admin.whole("PATCH", nowhere, &[], String::new()).await.unwrap();
        assert!(answer.status() == 404 && !answer.headers().contains_key("allow"), "{answer:?}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_to_be_somebody_else_is_let_in_nowhere() {
    let house = House::open().await;
    house.member("laptop").await;
    let before = durable(&house.world());
    let credentials = [
        None,
        Some("Bearer "),
        Some("Bearer null"),
        Some("Basic YWRtaW46YWRtaW4="),
        Some("Bearer mk-api-1-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        Some("Bearer mk-api-0-"),
        Some("Bearer mk-api-18446744073709551616-x"),
    ];
    for (number, operation) in all().enumerate() {
        let credential = credentials[number % credentials.len()].map(str::to_owned);
        let stranger = Admin::remote(house.address, credential);
        let at = super::path(operation.path, "1");
        let answer = stranger.whole(&operation.method.to_string(), &at, &FORGED, "{}".into()).await.unwrap();
        let status = answer.status().as_u16();
        assert!(status == 401 || status == 429, "{} {at}: {status} {}", operation.method, answer.body());
    }
    assert_eq!(durable(&house.world()), before);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_sender_is_not_written_down() {
    let house = House::open().await;
    let made = house.admin.call(&api::apikey::CREATE, &[], &Default::default()).await.unwrap().outcome;
    let bearer = format!("Bearer {}", made.secret.unwrap().expose());
    let tool = Admin::remote(house.address, Some(bearer));
    let path = super::path(api::user::CREATE.path(), "1");
    let answer = tool.whole("POST", &path, &FORGED, r#"{"login":"alice"}"#.into()).await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.body());
    let events = house.admin.call(&api::event::LIST, &[], &Default::default()).await.unwrap().events;
    let last = events.last().unwrap();
    assert_eq!((last.kind.as_str(), last.source.as_str()), ("user_created", "127.0.0.1"));
    assert!(last.actor.starts_with("apikey:"), "{last:?}");
    house.close().await;
}
