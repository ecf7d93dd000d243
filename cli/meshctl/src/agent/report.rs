//! A report on its way to the server, with the proof that belongs to it.

use std::{fs, path::Path};

use api::agent::{AUDIENCE, REPORT_PATH, Report, Taken};
use aws_lc_rs::digest::{SHA256, digest};

use super::{config::Config, door, local::Local, look::Look};
use crate::probe::{
    exchange::{Question, ask},
    tls::Trust,
};

/// What the agent found, as it is told.
pub fn report(config: &Config, look: &Look, recovery: Option<String>) -> Report {
    let status = look.status.as_ref().ok();
    let health = status.and_then(|status| status.health.clone()).unwrap_or_default();
    Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: jiff::Timestamp::now(),
        every_seconds: u32::try_from(config.every_seconds).unwrap_or(u32::MAX),
        checks: look.checks.clone(),
        health: health.into_iter().take(16).map(short).collect(),
        recovery: recovery.map(short),
        memory_kib: memory_kib(),
    }
}

fn short(text: String) -> String {
    text.chars().take(300).collect()
}

/// Sends it. The server is the one that the client is logged in to.
pub async fn send(config: &Config, url: &str, report: &Report, trust: &Trust) -> Result<Taken, String> {
    let body = serde_json::to_string(report).map_err(|e| e.to_string())?;
    let hex: String = digest(&SHA256, body.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let audience = format!("{AUDIENCE}{hex}");
    let token = match &config.door {
        Some(door) => door::token(door, &audience).await,
        None => door::fetch(config, &Local::new(config.tailscale_socket.clone()), &audience).await,
    };
    let token = token.map_err(|why| format!("there is no token of this node: {why}"))?;
    let question = Question { method: "POST", path: REPORT_PATH, bearer: Some(&token), body: &body };
    let (status, answer) = ask(url, question, trust).await.map_err(|why| format!("{url}: {why}"))?;
    if status == 200 {
        return serde_json::from_slice(&answer).map_err(|e| format!("the server's answer does not fit: {e}"));
    }
    let detail = serde_json::from_slice::<api::Problem>(&answer).map(|problem| problem.detail);
    Err(format!(
        "the server answers {status}: {}",
        detail.unwrap_or_else(|_| "in other words than meshctl's".into())
    ))
}

/// Resident memory of this process.
fn memory_kib() -> Option<u64> {
    let status = fs::read_to_string(Path::new("/proc/self/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
