//! A server behind proxies: who is served is whom they name.

use api::{DEFAULT_TAILNET, event, node};
use control::config::{File, ProxiesFile};
use http::StatusCode;

use tokio::task::JoinSet;

use crate::{
    house::{House, join, soon, without_relay},
    journal,
};
use control_tests::admin::Admin;

const CLIENT: &str = "192.0.2.77";

async fn open(header: &str) -> House {
    let proxies = ProxiesFile { addresses: vec!["127.0.0.1".into()], header: Some(header.into()) };
    House::open(File { proxies: Some(proxies), ..without_relay() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_and_the_security_log_name_the_client_and_not_the_proxy() {
    for (header, value) in [
        ("x-forwarded-for", format!("198.51.100.1, {CLIENT}")),
        ("forwarded", format!("for=x, for={CLIENT}")),
    ] {
        let house = open(header).await;
        let create = api::apikey::Create { description: "afar".into(), ..Default::default() };
        let created = house.admin.call(&api::apikey::CREATE, &[], &create).await.unwrap().outcome;
        let bearer = format!("Bearer {}", created.secret.unwrap().expose());
        let path = api::user::CREATE.path().replace("{tailnet}", DEFAULT_TAILNET);
        let body = r#"{"login": "alice@example.com"}"#.to_owned();
        let told = [(header, value.as_str())];
        let proxy = Admin::remote(house.address, Some(bearer));
        let answer = proxy.whole("POST", &path, &told, body).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
        let events = house.admin.call(&event::LIST, &[], &event::Query::default()).await.unwrap().events;
        assert_eq!(events.last().unwrap().source, CLIENT, "{events:?}");

        let path = node::LIST.path().replace("{tailnet}", DEFAULT_TAILNET);
        let stranger = Admin::remote(house.address, Some("Bearer wrong".into()));
        let answer = stranger.whole("GET", &path, &told, String::new()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(!journal::lines_with(&format!("ip={CLIENT} ")).is_empty());
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_office_behind_one_address_comes_back_after_a_restart_without_a_refusal() {
    const OFFICE: &str = "192.0.2.78";
    let house = open("x-forwarded-for").await;
    let (key, at) = (house.key().await, house.at().await.on_behalf_of(OFFICE));
    let mut office = Vec::new();
    for n in 0..100 {
        office.push(join(&at, &key, &format!("desk{n}")).await);
    }
    let house = house.restart().await;
    let mut coming = JoinSet::new();
    for desk in office {
        let at = at.clone();
        coming.spawn(async move {
            let desk = desk.again(&at).await;
            let answer = desk.register(None).await;
            assert!(answer.machine_authorized, "{}", answer.error);
            desk.report(&["192.0.2.78:41641"], 900).await;
            desk.listen().await.go.peers().len()
        });
    }
    let seen = soon("the office", coming.join_all()).await;
    assert_eq!(seen, [99; 100]);
    assert_eq!(journal::lines_with(&format!("ip={OFFICE} ")), Vec::<String>::new(), "nobody was turned away");
    house.close().await;
}
