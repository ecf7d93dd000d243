//! What the log says of failures: lines that fail2ban can count on, whatever strangers write, and never too many of them.

use std::{fs, path::Path, time::Instant};

use api::{apikey, node};
use harness::Identity;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    admin::Admin,
    device::Device,
    house::binary::Binary,
    house::{eventually, free_address, furnish},
};

/// The log as far as it is written; its last line may still be on its way.
fn whole_lines(folder: &Path) -> String {
    let mut log = fs::read_to_string(folder.join("server.log")).unwrap();
    log.truncate(log.rfind('\n').map_or(0, |end| end + 1));
    log
}

/// Failures in the log: address and kind of each.
fn failures(folder: &Path) -> Vec<(String, String)> {
    let log = whole_lines(folder);
    let lines = log.lines().filter(|line| line.contains("auth_fail"));
    let told = |line: &str| {
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.ends_with('Z'), "{line}");
        let rest = rest
            .trim_start()
            .strip_prefix("WARN security: auth_fail ip=")
            .unwrap_or_else(|| panic!("{line}"));
        let (ip, kind) = rest.split_once(" kind=").unwrap_or_else(|| panic!("{line}"));
        assert!(kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{line}");
        (ip.to_owned(), kind.to_owned())
    };
    lines.map(told).collect()
}

/// How many lines the log says were left out.
fn suppressed(folder: &Path) -> usize {
    let log = whole_lines(folder);
    let told = log.lines().filter_map(|l| l.split_once("suppressed ")?.1.strip_suffix(" lines"));
    told.map(|n| n.parse::<usize>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_one_stable_line_and_floods_are_summed_up() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let server = Binary::start(folder.path(), address, "info").await;
    furnish(&server.admin).await;
    let evil = "x\n2026-01-01T00:00:00Z  WARN security: auth_fail ip=203.0.113.7 kind=api_key";
    let stranger = Device::connect(&server.at, Identity::random().unwrap(), evil).await;
    assert!(!stranger.register(None).await.machine_authorized);
    assert!(!stranger.register(Some(evil)).await.machine_authorized);
    eventually("a line", || !failures(folder.path()).is_empty()).await;
    let kinds: Vec<_> = failures(folder.path()).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, ["auth_key_invalid"], "to wait is no failure");

    let path = apikey::LIST.declared().at(&["default"]).unwrap();
    let spoofed = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.7\r\nForwarded: for=203.0.113.7\r\nX-Real-IP: 203.0.113.7\r\nConnection: close\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(spoofed.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;

    let path = node::LIST.declared().at(&["default"]).unwrap();
    let (start, wrong) = (Instant::now(), Admin::remote(address, Some(format!("Bearer {}", "x".repeat(50)))));
    for _ in 0..500 {
        assert_eq!(wrong.raw("GET", &path, String::new()).await.unwrap().0, 401);
    }
    let seconds = start.elapsed().as_secs() as usize + 2;
    let lines = || failures(folder.path()).iter().filter(|(_, kind)| kind == "api_key").count();
    let is_summed_up = || lines() + suppressed(folder.path()) >= 501;
    eventually("a line for each failure, or that it was left out", is_summed_up).await;
    let told = failures(folder.path());
    assert!(told.iter().all(|(ip, _)| ip == "127.0.0.1"), "{told:?}");
    assert!((5..=5 * seconds).contains(&lines()), "{} lines in {seconds} s", lines());
    assert_eq!(lines() + suppressed(folder.path()), 501, "each failure has a line or is counted");
    assert!(server.stop().await.success());
}
