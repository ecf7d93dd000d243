//! The policy in force, and who may call from a browser.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Tool;
use crate::house::{House, POLICY, Setup};

const WIDER: &str = r#"{"tagOwners": {"tag:member": [], "tag:island": []},
    "acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn saving_a_policy_is_meaning_it() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    let policy = tool.get("/policy").await;
    assert_eq!(policy["policy"], POLICY);
    let set = tool.ok("PUT", "/policy", &json!({"policy": WIDER}).to_string()).await;
    assert_eq!(set["policy"], WIDER);
    let at = |policy: &Value| policy["updatedAt"].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert!(at(&set) > at(&policy));
    assert_eq!(tool.get("/policy").await["policy"], WIDER);
    let headers = [("If-Match", "\"something-else\"")];
    let body = json!({"policy": POLICY}).to_string();
    let answer = tool.0.whole("PUT", "/api/v1/policy", &headers, body).await.unwrap();
    assert_eq!(answer.status(), StatusCode::CONFLICT, "who says what was edited is believed");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_with_mistakes_is_refused_in_words_that_tools_know() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    let wrong = json!({"policy": "{\n  \"acls\": [{\"action\": \"deny\"}]\n}"}).to_string();
    for (status, method, path) in [(422, "PUT", "/policy"), (400, "POST", "/policy/check")] {
        let problem = tool.refused(status, method, path, &wrong).await;
        let words = problem["message"].as_str().unwrap();
        assert!(words.starts_with("parsing policy from bytes: "), "{words}");
        assert!(words.contains("line 2, column "), "{words}");
        assert_eq!(problem["code"], 3);
    }
    assert_eq!(tool.get("/policy").await["policy"], POLICY);
    assert_eq!(tool.post("/policy/check", &json!({"policy": WIDER}).to_string()).await, json!({}));
    assert_eq!(tool.get("/policy").await["policy"], POLICY, "a check changes nothing");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_was_never_set_can_be_set() {
    let house = House::bare(Setup::default()).await;
    let tool = Tool::of(&house).await;
    assert_eq!(tool.get("/policy").await, json!({"policy": "", "updatedAt": "1970-01-01T00:00:00Z"}));
    tool.ok("PUT", "/policy", &json!({"policy": POLICY}).to_string()).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_named_origins_may_call_and_no_others() {
    let house = House::open_with(Setup { cors_origin: Some("https://ui.example"), ..Setup::default() }).await;
    let tool = Tool::of(&house).await;
    let asks = |origin: &'static str, method: &'static str| {
        let headers = [("Origin", origin), ("Access-Control-Request-Method", "DELETE")];
        let tool = &tool;
        async move { tool.0.whole(method, "/api/v1/node/1", &headers, String::new()).await.unwrap() }
    };
    let first = asks("https://ui.example", "OPTIONS").await;
    assert_eq!(first.status(), StatusCode::NO_CONTENT);
    assert_eq!(first.headers()["access-control-allow-origin"], "https://ui.example");
    assert!(first.headers()["access-control-allow-headers"].to_str().unwrap().contains("authorization"));
    assert!(first.headers()["access-control-allow-methods"].to_str().unwrap().contains("DELETE"));
    let then = asks("https://ui.example", "GET").await;
    assert_eq!(then.status(), StatusCode::NOT_FOUND, "there is no node; the page may read that");
    assert_eq!(then.headers()["access-control-allow-origin"], "https://ui.example");
    for stranger in ["https://ui.example.evil", "http://ui.example", "null", "https://UI.example:444"] {
        for method in ["OPTIONS", "GET"] {
            let answer = asks(stranger, method).await;
            assert!(!answer.headers().contains_key("access-control-allow-origin"), "{method} {stranger}");
            assert_eq!(answer.headers()["vary"], "origin");
        }
    }
    house.close().await;
}
