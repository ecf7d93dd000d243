//! Pre-auth keys and API keys.

use harness::Identity;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::{Tool, location};
use crate::{
    admin::Admin,
    device::Device,
    house::{House, Setup},
};

fn in_hours(hours: i64) -> String {
    (Timestamp::now() + hours.hours()).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_tags_is_refused_and_the_roles_are_named() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    tool.post("/user", r#"{"name":"alice"}"#).await;
    for body in [r#"{"user":"1"}"#, r#"{"user":1,"aclTags":[]}"#, r#"{"user":"1","aclTags":null}"#, "", "{}"]
    {
        let problem = tool.refused(400, "POST", "/preauthkey", body).await;
        assert_eq!(location(&problem), "body.aclTags");
        let words = problem["message"].as_str().unwrap();
        assert!(words.contains("member (tag:member)") && words.contains("island (tag:island)"), "{words}");
    }
    let body = r#"{"aclTags":["tag:member","tag:island"]}"#;
    let problem = tool.refused(400, "POST", "/preauthkey", body).await;
    assert!(problem["message"].as_str().unwrap().contains("no role has exactly these tags"));
    assert!(house.world().auth_keys.is_empty());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_the_tags_of_a_role_is_of_that_role_and_tells_its_access() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    tool.post("/user", r#"{"name":"alice"}"#).await;
    let body = json!({"user": "1", "reusable": true, "expiration": in_hours(1), "aclTags": ["tag:member"]});
    let made = tool.post("/preauthkey", &body.to_string()).await;
    let key = &made["preAuthKey"];
    let text = key["key"].as_str().unwrap();
    assert!(text.starts_with("mk-auth-1-") && text.len() > 43, "shown once");
    assert_eq!((&key["id"], &key["user"]["name"]), (&json!("1"), &json!("alice")));
    assert_eq!(
        (&key["reusable"], &key["ephemeral"], &key["used"]),
        (&json!(true), &json!(false), &json!(false))
    );
    assert_eq!(key["aclTags"], json!(["tag:member"]));
    assert_eq!(made["access"]["mayReach"][0]["peer"], "tag:member");
    assert_eq!(house.world().auth_keys.values().next().unwrap().role, "member");
    house.join(Identity::random().unwrap(), text, "laptop").await;
    let list = tool.get("/preauthkey").await;
    assert_eq!(list["preAuthKeys"][0]["key"], "mk-auth-1-***", "never shown again");
    assert_eq!(list["preAuthKeys"][0]["used"], true);
    assert!(!list.to_string().contains(&text[10..]));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_no_wider_than_its_role_and_opens_something() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    let wide = json!({"aclTags": ["tag:member"], "expiration": in_hours(24 * 90)}).to_string();
    let problem = tool.refused(422, "POST", "/preauthkey", &wide).await;
    assert!(problem["message"].as_str().unwrap().contains("wider than role member"), "{problem}");
    tool.refused(422, "POST", "/preauthkey", r#"{"aclTags":["tag:island"]}"#).await;
    let past = r#"{"aclTags":["tag:member"],"expiration":"2020-01-01T00:00:00Z"}"#;
    tool.refused(422, "POST", "/preauthkey", past).await;
    let bad = r#"{"aclTags":["tag:member"],"expiration":"soon"}"#;
    assert_eq!(location(&tool.refused(400, "POST", "/preauthkey", bad).await), "body.expiration");
    let slow = json!({"aclTags": ["tag:member"], "expiration": in_hours(24)}).to_string();
    tool.post("/preauthkey", &slow).await;
    let go_zero = r#"{"aclTags":["tag:member"],"expiration":"0001-01-01T00:00:00Z","user":""}"#;
    tool.post("/preauthkey", go_zero).await;
    assert_eq!(house.world().auth_keys.len(), 2);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_voided_by_id_and_by_its_text_and_stays_in_the_list() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    tool.post("/user", r#"{"name":"alice"}"#).await;
    let mut keys = Vec::new();
    for _ in 0..3 {
        let made = tool.post("/preauthkey", r#"{"user":1,"aclTags":"tag:member"}"#).await;
        keys.push(made["preAuthKey"]["key"].as_str().unwrap().to_owned());
    }
    assert_eq!(tool.post("/preauthkey/expire", r#"{"id":"1"}"#).await, json!({}));
    let older = json!({"user": "1", "key": keys[1]}).to_string();
    tool.post("/preauthkey/expire", &older).await;
    assert_eq!(tool.ok("DELETE", "/preauthkey?id=3", "").await, json!({}));
    let list = tool.get("/preauthkey?user=1").await;
    let list = list["preAuthKeys"].as_array().unwrap();
    assert_eq!(list.len(), 3);
    let past =
        |key: &Value| key["expiration"].as_str().unwrap().parse::<Timestamp>().unwrap() <= Timestamp::now();
    assert!(list.iter().all(past), "{list:?}");
    tool.refused(404, "POST", "/preauthkey/expire", r#"{"id":"9"}"#).await;
    assert_eq!(location(&tool.refused(400, "DELETE", "/preauthkey", "").await), "body.id");
    tool.refused(404, "GET", "/preauthkey?user=7", "").await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn api_keys_are_found_by_what_their_text_begins_with() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    let made = tool.post("/apikey", "").await;
    let text = made["apiKey"].as_str().unwrap();
    assert!(text.starts_with("mk-api-2-"));
    let list = tool.get("/apikey").await;
    let own = &list["apiKeys"][1];
    assert_eq!(
        (&own["id"], &own["prefix"], &own["lastSeen"]),
        (&json!("2"), &json!("mk-api-2-***"), &Value::Null)
    );
    let bare = own["prefix"].as_str().unwrap().trim_end_matches('*');
    assert!(text.starts_with(bare), "how Headplane finds its own key");
    let days: Timestamp = own["expiration"].as_str().unwrap().parse().unwrap();
    assert!(days > Timestamp::now() + (24 * 89).hours(), "90 days unless said");

    let second = Tool(Admin::remote(house.address, Some(format!("Bearer {text}"))));
    second.get("/user").await;
    assert_eq!(tool.ok("DELETE", "/apikey/mk-api-2-***", "").await, json!({}));
    second.refused(401, "GET", "/user", "").await;
    let list = tool.get("/apikey").await;
    let until: Timestamp = list["apiKeys"][1]["expiration"].as_str().unwrap().parse().unwrap();
    assert!(until <= Timestamp::now(), "void from then on");

    tool.post("/apikey", &json!({"expiration": in_hours(1)}).to_string()).await;
    tool.post("/apikey/expire", r#"{"id":"3"}"#).await;
    tool.refused(400, "POST", "/apikey/expire", r#"{"id":"3","prefix":"mk-api-2"}"#).await;
    tool.refused(400, "POST", "/apikey/expire", "{}").await;
    tool.refused(404, "DELETE", "/apikey/mk-api-77-***", "").await;
    let past = r#"{"expiration":"2020-01-01T00:00:00Z"}"#;
    assert_eq!(location(&tool.refused(400, "POST", "/apikey", past).await), "body.expiration");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_tags_is_a_persons_where_the_configuration_allows_it() {
    let house = House::open_with(Setup { allow_untagged: true, ..Setup::default() }).await;
    let tool = Tool::of(&house).await;
    tool.post("/user", r#"{"name":"alice"}"#).await;
    assert!(house.admin.call(&api::server::STATUS, &[], &()).await.unwrap().allow_untagged_keys);
    assert_eq!(location(&tool.refused(400, "POST", "/preauthkey", "{}").await), "body.user");
    let made = tool.post("/preauthkey", r#"{"user":"1","reusable":true}"#).await;
    assert_eq!((&made["preAuthKey"]["aclTags"], &made["access"]), (&json!([]), &Value::Null));
    let until: Timestamp = made["preAuthKey"]["expiration"].as_str().unwrap().parse().unwrap();
    assert!((Timestamp::now() + 59.minutes()..Timestamp::now() + 61.minutes()).contains(&until));
    let key = made["preAuthKey"]["key"].as_str().unwrap();
    let laptop = house.join(Identity::random().unwrap(), key, "laptop").await;
    let node = tool.get("/node/1").await["node"].clone();
    assert_eq!((&node["user"]["name"], &node["tags"]), (&json!("alice"), &json!([])));
    assert_eq!(node["registerMethod"], "REGISTER_METHOD_AUTH_KEY");
    let days: Timestamp = node["expiry"].as_str().unwrap().parse().unwrap();
    assert!(days > Timestamp::now() + (24 * 179).hours(), "like every device of a person");
    assert!(laptop.register(Some(key)).await.machine_authorized, "an answer that was lost is said again");

    let rotated = house.join(laptop.me.rotated().unwrap(), key, "laptop").await;
    assert_eq!(rotated.myself().await.id.get(), 1, "the same device with its next key");
    let tagged = Device::connect(&house.at, Identity::random().unwrap(), "server").await;
    let mut request = tagged.me.register_request(Some(key), "server");
    request.hostinfo.as_mut().unwrap().request_tags = vec!["tag:member".into()];
    let refused = tagged.client.register(&request).await.unwrap().error;
    assert!(refused.contains("requested tags [tag:member]"), "{refused}");
    for expiration in ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"] {
        tool.refused(422, "POST", "/preauthkey", &json!({"user": 1, "expiration": expiration}).to_string())
            .await;
    }
    house.world().check_invariants().unwrap();

    let house = house.restart_with(Setup::default()).await;
    let (tool, late) =
        (Tool::of(&house).await, Device::connect(&house.at, Identity::random().unwrap(), "late").await);
    let refused = late.register(Some(key)).await.error;
    assert!(refused.contains("without a role, and such keys are not taken here"), "{refused}");
    tool.refused(400, "POST", "/preauthkey", r#"{"user":"1"}"#).await;
    let rotated = rotated.again(&house.at).await;
    assert!(rotated.register(None).await.machine_authorized, "who is in stays in");
    house.restart().await.close().await;
}
