//! Metrics and health on a listener of their own; the dashboard and the alert rules name what is there.

use std::{collections::BTreeSet, net::SocketAddr};

use api::server;
use harness::Identity;

use crate::{
    admin::Admin,
    device::{Device, Listener},
    house::{House, Setup, free_address},
};

async fn get(at: SocketAddr, path: &str) -> (u16, String) {
    let (status, text) = Admin::remote(at, None).raw("GET", path, String::new()).await.unwrap();
    (status.as_u16(), text)
}

/// The value of a sample, by its name and labels.
fn value(text: &str, sample: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
}

/// A server that every metric has something to tell of.
async fn busy() -> (House, SocketAddr, Listener) {
    let at = free_address();
    let house =
        House::open_with(Setup { monitor: Some(at), relay: Some(free_address()), ..Setup::default() }).await;
    let witness = house.member("witness").await;
    let mut stream = witness.listen().await;
    house.member("laptop").await;
    stream.until("the laptop", |m| m.peers().len() == 1).await;
    let stranger = Device::connect(&house.at, Identity::random().unwrap(), "stranger").await;
    assert!(!stranger.register(Some("mk-auth-1-wrong")).await.machine_authorized);
    let nobody = Admin::remote(house.address, Some("Bearer mk-api-1-wrong".into()));
    assert_eq!(nobody.call(&server::STATUS, &[], &()).await.unwrap_err().status, 401);
    (house, at, stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted() {
    let (house, at, _stream) = busy().await;
    let (status, text) = get(at, "/metrics").await;
    assert_eq!(status, 200);
    assert!(text.ends_with("# EOF\n"), "{text}");
    for (sample, wanted) in [
        ("meshctl_connections{kind=\"stream\"}", 1.0),
        ("meshctl_nodes{state=\"online\"}", 1.0),
        ("meshctl_nodes{state=\"offline\"}", 1.0),
        ("meshctl_registrations_total{result=\"active\"}", 2.0),
        ("meshctl_registrations_total{result=\"auth_key_invalid\"}", 1.0),
        ("meshctl_auth_failures_total{kind=\"auth_key_invalid\"}", 1.0),
        ("meshctl_auth_failures_total{kind=\"api_key\"}", 1.0),
        ("meshctl_map_messages_total{kind=\"whole\"}", 1.0),
        ("meshctl_api_calls_total{noun=\"server\",method=\"GET\",status=\"401\"}", 1.0),
        ("meshctl_commit_failures_total", 0.0),
    ] {
        assert_eq!(value(&text, sample), Some(wanted), "{sample} in {text}");
    }
    let events = house.admin.call(&server::STATUS, &[], &()).await.unwrap().counts.events;
    assert_eq!(value(&text, "meshctl_events_total"), Some(events as f64));
    assert!(value(&text, "meshctl_map_messages_total{kind=\"difference\"}") >= Some(1.0), "{text}");
    assert!(value(&text, "meshctl_fanout_latency_seconds_count") >= Some(1.0), "{text}");
    assert!(value(&text, "meshctl_map_bytes_total{kind=\"whole\"}") > Some(100.0), "{text}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_are_on_their_own_listener_only() {
    let (house, at, _stream) = busy().await;
    let well = (200, r#"{"status":"pass","writer":"pass","database":"pass"}"#.to_owned());
    let mut told = get(at, "/health").await;
    // A writer that is slow for a moment is said to be so.
    for _ in 0..10 {
        if told == well {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        told = get(at, "/health").await;
    }
    assert_eq!(told, well);
    let told = house.admin.call(&server::STATUS, &[], &()).await.unwrap().monitor;
    assert_eq!(told, Some(at));
    assert_eq!(get(house.address, "/metrics").await.0, 404);
    assert_eq!(get(at, "/api/mesh/v1/tailnet/default/node").await.0, 404);
    assert_eq!(get(at, "/key?v=130").await.0, 404);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_and_the_alert_rules_name_what_is_there() {
    let (house, at, _stream) = busy().await;
    let (_, text) = get(at, "/metrics").await;
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let samples: BTreeSet<&str> = samples.filter_map(|line| line.split(['{', ' ']).next()).collect();
    let parts = ["_bucket", "_count", "_sum"];
    let bare =
        |sample: &str| parts.iter().fold(sample.to_owned(), |s, part| s.trim_end_matches(part).to_owned());
    let metrics: BTreeSet<String> = samples.iter().map(|s| bare(s)).collect();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for file in ["monitoring/dashboard.json", "monitoring/alerts.yaml", "guide/monitoring.md"] {
        let words = std::fs::read_to_string(folder.join(file)).unwrap();
        let words = words.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let named: BTreeSet<&str> = words.filter(|w| w.starts_with("meshctl_") && w.len() > 8).collect();
        assert!(named.len() > 5, "{file} names metrics");
        // Of a server with TLS, and of a relay of its own: `surroundings` has the tests of those.
        let elsewhere =
            |name: &str| ["meshctl_certificate_", "meshctl_verify_"].iter().any(|s| name.starts_with(s));
        let known = |name: &str| elsewhere(name) || samples.contains(name) || metrics.contains(name);
        let unknown: Vec<_> = named.into_iter().filter(|name| !known(name)).collect();
        assert!(unknown.is_empty(), "{file} names what is not served: {unknown:?}");
    }
    let guide = std::fs::read_to_string(folder.join("guide/monitoring.md")).unwrap();
    let untold: BTreeSet<_> = metrics.iter().filter(|name| !guide.contains(name.as_str())).collect();
    assert!(untold.is_empty(), "the guide leaves out {untold:?}");
    house.close().await;
}

/// Whether brackets and quotes end where they should; there is no Prometheus here to ask.
fn is_whole(expression: &str) -> bool {
    let (mut open, mut quoted) = (Vec::new(), false);
    for c in expression.chars() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => open.push(c),
            ')' | ']' | '}' if open.pop() != Some(if c == ')' { '(' } else { (c as u8 - 2) as char }) => {
                return false;
            }
            _ => {}
        }
    }
    open.is_empty() && !quoted && !expression.trim().is_empty()
}

#[test]
fn the_dashboard_and_the_alert_rules_can_be_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let guide = read("guide/monitoring.md");
    let alerts: serde_json::Value = serde_yaml::from_str(&read("monitoring/alerts.yaml")).unwrap();
    let rules = alerts["groups"].as_array().unwrap().iter().flat_map(|g| g["rules"].as_array().unwrap());
    let rules: Vec<_> = rules.collect();
    for rule in &rules {
        let alert = rule["alert"].as_str().unwrap();
        assert!(is_whole(rule["expr"].as_str().unwrap()), "{rule}");
        assert!(["critical", "warning"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{rule}");
        assert!(rule["annotations"]["summary"].as_str().unwrap().contains("$labels.instance"), "{rule}");
        assert!(guide.contains(&format!("| {alert} |")), "the guide does not say what to do about {alert}");
    }
    let dashboard: serde_json::Value = serde_json::from_str(&read("monitoring/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    for target in panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten()) {
        assert!(is_whole(target["expr"].as_str().unwrap()), "{target}");
    }
    assert!(rules.len() >= 10 && panels.len() >= 15, "{} {}", rules.len(), panels.len());
    assert!(
        !is_whole("sum(a[5m)")
            && !is_whole("a{b=\"c}")
            && !is_whole("")
            && is_whole("sum by (a) (b{c=~\"5..\"}[1m])")
    );
}
