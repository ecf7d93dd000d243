//! People, the server's version and its health.

use http::StatusCode;
use serde_json::json;

use super::{Tool, location};
use crate::{admin::Admin, house::House};

#[tokio::test(flavor = "multi_thread")]
async fn people_have_ids_as_texts_and_one_login() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    assert_eq!(tool.get("/user").await, json!({"users": []}), "lists are never null");
    let made =
        tool.post("/user", r#"{"name":"alice","displayName":"Alice","pictureUrl":"http://x/y"}"#).await;
    let alice = &made["user"];
    assert!(alice["createdAt"].as_str().unwrap().ends_with('Z'));
    for (member, value) in [
        ("id", "1"),
        ("name", "alice"),
        ("displayName", "Alice"),
        ("email", ""),
        ("providerId", ""),
        ("provider", ""),
        ("profilePicUrl", ""),
    ] {
        assert_eq!(alice[member], value, "{member} of {alice}");
    }
    assert_eq!(alice.as_object().unwrap().len(), 8);
    let bob = tool.post("/user", r#"{"name":"bob@example.com","email":"bob@example.com"}"#).await;
    assert_eq!(bob["user"]["email"], "bob@example.com");
    let refused = tool.refused(400, "POST", "/user", r#"{"name":"carol","email":"carol@example.com"}"#).await;
    assert_eq!(location(&refused), "body.email");
    for (query, names) in [
        ("", vec!["alice", "bob@example.com"]),
        ("?id=2", vec!["bob@example.com"]),
        ("?name=alice", vec!["alice"]),
        ("?email=bob@example.com", vec!["bob@example.com"]),
        ("?name=nobody", vec![]),
    ] {
        let users = tool.get(&format!("/user{query}")).await;
        let found: Vec<_> = users["users"].as_array().unwrap().iter().map(|u| &u["name"]).collect();
        assert_eq!(found, names, "{query}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_is_a_conflict_each_time() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    tool.post("/user", r#"{"name":"alice"}"#).await;
    let problem = tool.refused(409, "POST", "/user", r#"{"name":"alice"}"#).await;
    assert_eq!(problem["code"], 6);
    tool.refused(409, "POST", "/user", r#"{"name":"ALICE","displayName":"other"}"#).await;
    let renamed = tool.post("/user/1/rename/alicia", "").await;
    assert_eq!(renamed["user"]["name"], "alicia");
    assert_eq!(tool.ok("DELETE", "/user/1", "").await, json!({}));
    tool.refused(404, "DELETE", "/user/1", "").await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_here_is_in_the_log_with_its_actor() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    tool.post("/user", r#"{"name":"alice"}"#).await;
    let made = super::logged(&house, "user_created").await;
    assert_eq!((made.actor.as_str(), made.source.as_str()), ("apikey:1", "127.0.0.1"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn version_and_health_need_no_credential_and_the_rest_does() {
    let house = House::open().await;
    let nobody = Admin::remote(house.address, None);
    let (status, text) = nobody.raw("GET", "/version", String::new()).await.unwrap();
    let version: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status, StatusCode::OK);
    assert!(version["version"].as_str().unwrap().starts_with("v0.30.0+meshctl."), "{version}");
    assert_eq!(version["dirty"], false);
    let health = nobody.whole("GET", "/health", &[], String::new()).await.unwrap();
    assert_eq!((health.status(), health.body().trim()), (StatusCode::OK, r#"{"status":"pass"}"#));
    assert_eq!(health.headers()["content-type"], "application/health+json");
    for declared in api::v1::OPERATIONS {
        let path = declared.at(&["1", "1"][..declared.path.matches('{').count()]).unwrap();
        let (status, text) = nobody.raw(&declared.method.to_string(), &path, String::new()).await.unwrap();
        let is_out = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS);
        assert!(is_out, "{} {path}: {status} {text}", declared.method);
    }
    let tool = Tool::of(&house).await;
    assert_eq!(tool.get("/health").await, json!({"databaseConnectivity": true}));
    house.close().await;
}
