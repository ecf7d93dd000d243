//! headscale's interface: what its tools send, and what they are told. Each row of the page about it has its test here.

mod bad;
mod devices;
mod keys;
mod page;
mod people;
mod policies;
mod waiting;

use http::StatusCode;
use serde_json::Value;

use crate::{admin::Admin, house::House};

/// A tool with an API key of its own.
struct Tool(Admin);

impl Tool {
    async fn of(house: &House) -> Self {
        let create = api::apikey::Create { description: "a tool".into(), ..Default::default() };
        let made = house.admin.call(&api::apikey::CREATE, &[], &create).await.unwrap().outcome;
        let key = made.secret.unwrap().expose().to_owned();
        Self(Admin::remote(house.address, Some(format!("Bearer {key}"))))
    }

    async fn call(&self, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
        let (status, text) = self.0.raw(method, &format!("/api/v1{path}"), body.into()).await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e} in {status} {text}")))
    }
    /// What must work.
    async fn ok(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, answer) = self.call(method, path, body).await;
        assert_eq!(status, StatusCode::OK, "{method} {path} {body}: {answer}");
        answer
    }
    async fn get(&self, path: &str) -> Value {
        self.ok("GET", path, "").await
    }
    async fn post(&self, path: &str, body: &str) -> Value {
        self.ok("POST", path, body).await
    }
    /// What must be refused with this status: the problem, in the words of all ages.
    async fn refused(&self, status: u16, method: &str, path: &str, body: &str) -> Value {
        let (told, problem) = self.call(method, path, body).await;
        assert_eq!(told, status, "{method} {path} {body}: {problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["detail"], problem["message"]);
        assert!(problem["code"].is_i64() && problem["title"].is_string(), "{problem}");
        assert!(problem["details"].as_array().unwrap().is_empty() && problem["errors"].is_array());
        problem
    }
}

/// The only entry of this kind in the log.
async fn logged(house: &House, kind: &str) -> api::event::Event {
    let events = house.admin.call(&api::event::LIST, &[], &Default::default()).await.unwrap().events;
    let mut found: Vec<_> = events.into_iter().filter(|event| event.kind == kind).collect();
    assert_eq!(found.len(), 1, "{kind}");
    found.remove(0)
}

/// Where the fault is, as the problem says.
fn location(problem: &Value) -> &str {
    problem["errors"][0]["location"].as_str().unwrap_or_else(|| panic!("no place in {problem}"))
}
