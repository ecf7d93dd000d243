//! Who was let in and lost the right while still speaking: nothing of what it says afterwards counts.

use std::time::Duration;

use api::{apikey, role, user};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::house::{House, PATIENCE, durable};

/// An API key and its id.
async fn mint(house: &House, expiry_seconds: Option<u64>) -> (String, String) {
    let create = apikey::Create { expiry_seconds, ..apikey::Create::default() };
    let created = house.admin.call(&apikey::CREATE, &[], &create).await.unwrap().outcome;
    (created.secret.unwrap().expose().to_owned(), created.apikey.unwrap().id.to_string())
}

/// A connection that has sent head and half of the body, and was let in: the server has said that it wants the body.
async fn half_said(house: &House, key: &str, body: &str) -> TcpStream {
    let declared = user::CREATE.declared();
    let path = declared.at(&["default"]).unwrap();
    let head = format!(
        "{} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        declared.method,
        body.len()
    );
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    timeout(PATIENCE, stream.read_exact(&mut go_on)).await.expect("nothing is said").unwrap();
    assert_eq!(String::from_utf8_lossy(&go_on), "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&body.as_bytes()[..body.len() / 2]).await.unwrap();
    stream
}

async fn answer(mut stream: TcpStream, rest: &str) -> String {
    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_or_expires_before_the_body_ends_changes_nothing() {
    let house = House::open().await;
    let body = r#"{"login":"mallory","display_name":""}"#;
    let (expiring, _) = mint(&house, Some(2)).await;
    let two = half_said(&house, &expiring, body).await;
    let (revoked, id) = mint(&house, None).await;
    let (good, _) = mint(&house, None).await;
    let [one, three] = [half_said(&house, &revoked, body).await, half_said(&house, &good, body).await];
    house.admin.call(&apikey::REVOKE, &[&id], &()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let before = durable(&house.world());
    let rest = &body[body.len() / 2..];
    for stream in [one, two] {
        let said = answer(stream, rest).await;
        assert!(said.starts_with("HTTP/1.1 401 "), "{said}");
        assert_eq!(durable(&house.world())["users"], before["users"]);
    }
    assert!(answer(three, rest).await.starts_with("HTTP/1.1 200 "), "a good key that is slow is good");
    house.close().await;
}

/// Reads until this has come.
async fn hears(stream: &mut TcpStream, what: &str) {
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains(what) {
        let read = timeout(PATIENCE, stream.read_buf(&mut heard)).await.expect("it does not come").unwrap();
        assert!(read > 0, "the stream ended without {what}: {}", String::from_utf8_lossy(&heard));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_whose_key_is_revoked_hears_nothing_of_what_happens_then() {
    let house = House::open().await;
    let (key, id) = mint(&house, None).await;
    let path = api::event::FOLLOW.declared().at(&["default"]).unwrap();
    for round in 0..5 {
        let set = role::Set { description: Some(format!("first {round}")), ..role::Set::default() };
        house.admin.call(&role::SET, &["member"], &set).await.unwrap();
    }
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    hears(&mut stream, "200 OK").await;
    let set = role::Set { description: Some("while welcome".into()), ..role::Set::default() };
    house.admin.call(&role::SET, &["member"], &set).await.unwrap();
    hears(&mut stream, "while welcome").await;
    house.admin.call(&apikey::REVOKE, &[&id], &()).await.unwrap();
    let set = role::Set { description: Some("behind its back".into()), ..role::Set::default() };
    house.admin.call(&role::SET, &["member"], &set).await.unwrap();
    let mut heard = String::new();
    let ended = timeout(PATIENCE, stream.read_to_string(&mut heard)).await;
    ended.expect("the stream goes on").unwrap();
    assert!(!heard.contains("behind its back"), "{heard}");
    house.close().await;
}
