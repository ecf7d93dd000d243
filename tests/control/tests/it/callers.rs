//! What callers of the admin API may do how often, and what the event log remembers of those who were refused.

use api::{apikey, code, event, node, policy, role, user};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    admin::Admin,
    house::{House, PATIENCE},
};

async fn mint(house: &House, scopes: &[&str]) -> (String, String) {
    let scopes = scopes.iter().map(|s| s.parse::<ident::Scope>().unwrap()).collect();
    let create = apikey::Create { scopes: Some(scopes), ..apikey::Create::default() };
    let created = house.admin.call(&apikey::CREATE, &[], &create).await.unwrap().outcome;
    (created.secret.unwrap().expose().to_owned(), created.apikey.unwrap().id.to_string())
}

fn caller(house: &House, key: &str) -> Admin {
    Admin::remote(house.address, Some(format!("Bearer {key}")))
}

async fn refusals(house: &House) -> Vec<event::Event> {
    listed(house, "kind=call_refused").await
}

/// Entries of the log that a query asks for.
async fn listed(house: &House, query: &str) -> Vec<event::Event> {
    let path = event::LIST.declared().at(&["default"]).unwrap();
    let (status, text) = house.admin.raw("GET", &format!("{path}?{query}"), String::new()).await.unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str::<event::Events>(&text).unwrap().events
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_is_in_the_log_with_who_and_why() {
    let house = House::open().await;
    let (key, id) = mint(&house, &["node:read", "role:write"]).await;
    let by = caller(&house, &key);
    let create = user::Create { login: "eve".into(), display_name: None };
    assert_eq!(by.call(&user::CREATE, &[], &create).await.unwrap_err().code, code::LACKS_SCOPE);
    let set = role::Set { tags: Some(vec!["tag:none".parse().unwrap()]), ..role::Set::default() };
    assert_eq!(by.call(&role::SET, &["evil"], &set).await.unwrap_err().code, "unknown_tag");
    assert_eq!(by.call(&policy::GET, &[], &()).await.unwrap_err().code, code::LACKS_SCOPE);
    let wider =
        policy::Edit::of("{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]}");
    assert!(house.admin.call(&policy::SET, &[], &wider).await.is_err());

    // What was only looked for, only tried or not understood is no news.
    let path = role::SET.declared().at(&["default", "evil"]).unwrap();
    by.raw("PUT", &format!("{path}?check=true"), r#"{"tags":["tag:none"]}"#.into()).await.unwrap();
    by.raw("PUT", &path, "{".into()).await.unwrap();
    assert_eq!(by.call(&node::SHOW, &["nobody"], &()).await.unwrap_err().status, 404);

    let noted = refusals(&house).await;
    let told: Vec<_> = noted
        .iter()
        .map(|e| (e.actor.as_str(), e.subject.as_str(), e.event["code"].as_str().unwrap()))
        .collect();
    let key = format!("apikey:{id}");
    assert_eq!(told[..2], [(&*key, "call:user", code::LACKS_SCOPE), (&*key, "call:role", "unknown_tag")]);
    assert_eq!(told[2], (&*key, "call:policy", code::LACKS_SCOPE));
    assert!(told[3].0.starts_with("socket:") && told[3].1 == "call:policy", "{told:?}");
    assert_eq!(told.len(), 4);
    assert_eq!(noted[0].event["operation"], format!("POST {}", user::CREATE.path()));
    assert_eq!(noted[0].source, "127.0.0.1");
    assert_eq!(listed(&house, &format!("actor={key}&kind=call_refused")).await, noted[..3]);
    assert_eq!(listed(&house, &format!("actor={key}&subject=call:role&limit=5")).await, noted[1..2]);
    let page = listed(&house, &format!("after={}&limit=2", noted[0].seq)).await;
    assert_eq!(page, noted[1..3], "a page begins behind an entry");
    assert!(house.admin.call(&event::VERIFY, &[], &()).await.unwrap().intact);
    let house = house.restart().await;
    assert_eq!(refusals(&house).await, noted);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_all_the_time_does_not_fill_the_log() {
    let house = House::open().await;
    let (key, _) = mint(&house, &["node:read"]).await;
    let by = caller(&house, &key);
    for _ in 0..60 {
        assert_eq!(by.call(&role::LIST, &[], &()).await.unwrap_err().status, 403);
    }
    let noted = refusals(&house).await;
    assert!((20..60).contains(&noted.len()), "{}", noted.len());
    let (other, _) = mint(&house, &["role:read"]).await;
    assert_eq!(caller(&house, &other).call(&node::LIST, &[], &()).await.unwrap_err().status, 403);
    // On a slow day one of those in between is noted, too, and tells of those before it.
    let all = refusals(&house).await;
    let left_out: u64 = all.iter().filter_map(|e| e.event["left_out"].as_u64()).sum();
    assert_eq!((all.len(), left_out), (noted.len() + 1, 60 - noted.len() as u64), "{all:?}");
    house.close().await;
}

/// Says the same request so often on one connection; the status of each answer, and all that was answered.
async fn repeat(house: &House, key: &str, times: usize) -> (Vec<String>, String) {
    let path = node::LIST.declared().at(&["default"]).unwrap();
    let head = |last| {
        let close = if last { "Connection: close\r\n" } else { "" };
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{close}\r\n")
    };
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let requests: String = (1..=times).map(|n| head(n == times)).collect();
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut text = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    let statuses = text.split("HTTP/1.1 ").skip(1).map(|rest| rest[..3].to_owned());
    (statuses.collect(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_told_to_come_back_and_members_are_served() {
    let house = House::open().await;
    let (key, _) = mint(&house, &["node:read"]).await;
    let (statuses, text) = repeat(&house, "mk-api-1-wrong", 60).await;
    let count = |wanted: &str| statuses.iter().filter(|s| *s == wanted).count();
    assert!(count("401") >= 20 && count("429") > 0, "{statuses:?}");
    assert_eq!(count("401") + count("429"), 60);
    assert!(text.contains("retry-after: 1\r\n") && text.contains("\"too_often\""), "{text}");

    let (statuses, _) = repeat(&house, &key, 500).await;
    assert_eq!(statuses.iter().filter(|s| *s == "200").count(), 500, "a good key has a larger share");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_follows_so_often_at_once() {
    let house = House::open().await;
    let (key, id) = mint(&house, &["event:read"]).await;
    let path = event::FOLLOW.declared().at(&["default"]).unwrap();
    let open = async || {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
        (String::from_utf8_lossy(&answer[9..]).into_owned(), stream)
    };
    let mut followers = Vec::new();
    for _ in 0..32 {
        let (status, stream) = open().await;
        assert_eq!(status, "200");
        followers.push(stream);
    }
    assert_eq!(open().await.0, "429");
    house.admin.call(&apikey::REVOKE, &[&id], &()).await.unwrap();
    for mut stream in followers {
        let mut rest = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it stays open").unwrap();
    }
    house.close().await;
}
