//! A server without TLS on an address that others can reach: clients are served, for they bring their own encryption; API
//! keys are not taken, unless the operator says so.

use std::net::Ipv4Addr;

use api::{Problem, apikey, node};
use control::config::{AdminFile, File};
use http::StatusCode;

use crate::{
    house::{House, free_address, join, without_relay},
    secure::nodes,
};

async fn open(plain_http: Option<bool>) -> (House, harness::Server, String) {
    let port = free_address().port();
    let file = File {
        listen: Some(format!("{}:{port}", Ipv4Addr::UNSPECIFIED)),
        admin: plain_http.map(|on| AdminFile { plain_http: Some(on), ..AdminFile::default() }),
        ..without_relay()
    };
    let house = House::open_in(tempfile::tempdir().unwrap(), file).await;
    let at = harness::Server::find(&format!("http://127.0.0.1:{port}"), None).await.unwrap();
    let create = apikey::Create { description: "afar".into(), ..apikey::Create::default() };
    let created = house.admin.call(&apikey::CREATE, &[], &create).await.unwrap().outcome;
    (house, at, format!("Bearer {}", created.secret.unwrap().expose()))
}

#[tokio::test(flavor = "multi_thread")]
async fn api_keys_are_not_taken_over_plain_http_where_others_can_read_along() {
    for plain_http in [None, Some(false)] {
        let (house, at, bearer) = open(plain_http).await;
        let key = house.key().await;
        let laptop = join(&at, &key, "laptop").await;
        assert!(laptop.map().await.node.is_some(), "clients are served");
        for authorization in [Some(bearer.as_str()), None] {
            let (status, body) = nodes(&at, authorization).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
            let problem: Problem = serde_json::from_str(&body).unwrap();
            assert_eq!(problem.code, "in_clear");
            assert!(problem.hint.unwrap().contains("https") && !body.contains("laptop"));
        }
        assert_eq!(house.admin.call(&node::LIST, &[], &()).await.unwrap().nodes.len(), 1, "on the socket");
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_may_say_that_the_way_is_safe() {
    let (house, at, bearer) = open(Some(true)).await;
    assert_eq!(nodes(&at, Some(&bearer)).await.0, StatusCode::OK);
    assert_eq!(nodes(&at, None).await.0, StatusCode::UNAUTHORIZED);
    house.close().await;
}
