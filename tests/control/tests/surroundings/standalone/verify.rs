//! `/verify`: what relays elsewhere are told, official ones among them.

use api::node;
use harness::Identity;
use http::StatusCode;
use serde_json::json;

use crate::{
    device::Device,
    house::{House, soon, without_relay},
};
use control_tests::admin::Admin;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn asked(house: &House, body: String) -> (StatusCode, String) {
    Admin::remote(house.address, None).raw("POST", "/verify", body).await.unwrap()
}

async fn allows(house: &House, key: &str) -> bool {
    let (status, text) = asked(house, json!({"NodePublic": key, "Source": "192.0.2.1"}).to_string()).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    serde_json::from_str::<serde_json::Value>(&text).unwrap()["Allow"].as_bool().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_allowed_while_they_are_nodes_and_nobody_else() {
    let house = House::open(without_relay()).await;
    let device = Device::connect(&house.at().await, Identity::random().unwrap(), "laptop").await;
    let key = device.me.node.to_string();
    assert!(!allows(&house, &key).await, "it has not registered");
    assert!(device.register(Some(&house.key().await)).await.machine_authorized);
    assert!(allows(&house, &key).await);
    for other in ["", "nodekey:", "nodekey:zz", &key.replace("nodekey", "mkey"), &"x".repeat(2000)] {
        assert!(!allows(&house, other).await, "{other}");
    }
    let id = device.myself().await.id.to_string();
    house.admin.call(&node::EXPIRE, &[&id], &()).await.unwrap();
    assert!(!allows(&house, &key).await, "its key has expired");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_question_is_refused() {
    let house = House::open(without_relay()).await;
    for (body, status) in [
        (String::new(), StatusCode::BAD_REQUEST),
        ("[]".into(), StatusCode::BAD_REQUEST),
        ("{\"NodePublic\": 7}".into(), StatusCode::BAD_REQUEST),
        ("[".repeat(4000), StatusCode::BAD_REQUEST),
        (" ".repeat(5000), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(asked(&house, body.clone()).await.0, status, "{body}");
    }
    let get = Admin::remote(house.address, None).raw("GET", "/verify", String::new()).await.unwrap();
    assert_eq!(get.0, StatusCode::METHOD_NOT_ALLOWED);
    house.close().await;
}

/// Sends this so often on one connection; how many answers had each status, and whether one of them said when to come back.
async fn pipelined(house: &House, question: &str, times: usize) -> (usize, usize, bool) {
    const HEAD: &[u8] = b"HTTP/1.1 ";
    let mut io = TcpStream::connect(house.address).await.unwrap();
    let (mut reader, mut writer) = io.split();
    let send = async {
        for _ in 0..times {
            writer.write_all(question.as_bytes()).await.unwrap();
        }
    };
    let read = async {
        let (mut text, mut chunk, mut heads, mut seen) = (Vec::new(), [0; 1 << 16], 0, 0);
        while heads < times {
            let n = soon("an answer", reader.read(&mut chunk)).await.unwrap();
            assert!(n > 0, "cut after {heads} answers");
            text.extend_from_slice(&chunk[..n]);
            heads += text[seen..].windows(HEAD.len()).filter(|w| *w == HEAD).count();
            seen = text.len().saturating_sub(HEAD.len() - 1);
        }
        String::from_utf8(text).unwrap()
    };
    let ((), text) = tokio::join!(send, read);
    let count = |status: &str| text.matches(&format!("HTTP/1.1 {status}")).count();
    (count("200"), count("429"), text.to_lowercase().contains("retry-after: 1"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_household_has_its_share_of_questions() {
    const AT_ONCE: usize = 2600;
    let house = House::open(without_relay()).await;
    let body = "{\"NodePublic\":\"\",\"Source\":\"192.0.2.1\"}";
    let question =
        format!("POST /verify HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let begun = std::time::Instant::now();
    let (mut answered, mut refused) = (0, 0);
    // A machine that is slow asks longer until it has asked too much.
    while refused == 0 && answered < 10 * AT_ONCE {
        let (yes, no, says_when) = pipelined(&house, &question, AT_ONCE).await;
        assert_eq!(yes + no, AT_ONCE);
        assert_eq!(no > 0, says_when);
        (answered, refused) = (answered + yes, refused + no);
    }
    let most = 2000 + begun.elapsed().as_millis() as usize / 5 + 1;
    assert!(refused > 0 && (2000..=most).contains(&answered), "{answered} of at most {most}");
    house.close().await;
}
