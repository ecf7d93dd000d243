//! Telling those whom a reset concerns, each with a receipt.

use std::{path::PathBuf, process::Stdio, time::Duration};

use api::server::{NOTICE, Notice, SET_NOTICE, SetNotice};
use jiff::Timestamp;
use serde::Serialize;
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use super::snapshot::{Plan, Receipt};
use crate::talk::{Check, Context, Failure, read_secret};

const WITHIN: Duration = Duration::from_secs(15);
/// How long agents are waited for: a client takes some seconds to show a notice, and its agent looks every few.
const AGENTS_WITHIN: Duration = Duration::from_secs(25);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How to tell.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Whom to tell, and how")]
pub struct Channels {
    /// URL to which the plan's summary is posted as JSON; several times
    #[arg(long, value_name = "URL")]
    webhook: Vec<String>,
    /// File with such a URL, for one that is a secret itself; several times
    #[arg(long, value_name = "FILE")]
    webhook_file: Vec<PathBuf>,
    /// Command of the shell that gets the same JSON on its standard input; several times
    #[arg(long, value_name = "COMMAND")]
    command: Vec<String>,
    /// Do not tell connected clients
    #[arg(long)]
    no_clients: bool,
}

/// What is told.
#[derive(Serialize)]
struct Summary<'a> {
    event: &'static str,
    server_url: &'a str,
    reason: &'a str,
    text: &'a str,
    devices: Vec<&'a str>,
    owners: Vec<&'a str>,
}

/// Tells everybody; a failure is a receipt too.
pub async fn tell(
    context: &Context,
    plan: &Plan,
    channels: &Channels,
    text: &str,
) -> Result<Vec<Receipt>, Failure> {
    let summary = Summary {
        event: "reset_planned",
        server_url: &plan.mesh.server_url,
        reason: &plan.reason,
        text,
        devices: plan.mesh.nodes.iter().map(|n| n.name.as_str()).collect(),
        owners: plan.mesh.users.iter().map(|u| u.login.as_str()).collect(),
    };
    let json = serde_json::to_string(&summary).map_err(|e| Failure::failed(e.to_string()))?;
    let mut receipts = Vec::new();
    for url in &channels.webhook {
        receipts.push(webhook(url, &json).await);
    }
    for file in &channels.webhook_file {
        receipts.push(webhook(read_secret(file)?.expose(), &json).await);
    }
    for command in &channels.command {
        receipts.push(program(command, &json).await);
    }
    if !channels.no_clients {
        receipts.extend(clients(context, plan, text).await?);
    }
    Ok(receipts)
}

fn receipt(channel: &str, to: &str, outcome: Result<String, String>) -> Receipt {
    let (reached, detail) = match outcome {
        Ok(said) => (true, said),
        Err(why) => (false, why),
    };
    Receipt { channel: channel.to_owned(), to: to.to_owned(), at: Timestamp::now(), reached, detail }
}

/// Of the URL only the host is written down: its path may be a secret.
async fn webhook(url: &str, json: &str) -> Receipt {
    let parsed = url.parse::<reqwest::Url>();
    let host = parsed.as_ref().ok().and_then(reqwest::Url::host_str).unwrap_or("no URL").to_owned();
    let post = async {
        let parsed = parsed.map_err(|e| e.to_string())?;
        let client =
            reqwest::Client::builder().timeout(WITHIN).redirect(reqwest::redirect::Policy::none()).build();
        let request = client.map_err(|e| e.without_url().to_string())?.post(parsed);
        let request = request.header("content-type", "application/json").body(json.to_owned());
        let answer = request.send().await.map_err(|e| e.without_url().to_string())?;
        let status = answer.status();
        if status.is_success() { Ok(format!("answered {status}")) } else { Err(format!("answered {status}")) }
    };
    let outcome = post.await;
    receipt("webhook", &host, outcome)
}

async fn program(command: &str, json: &str) -> Receipt {
    let run = async {
        let mut child = Command::new("/bin/sh");
        child.args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true);
        let mut child = child.spawn().map_err(|e| e.to_string())?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read is told by its end.
            let _ = stdin.write_all(json.as_bytes()).await;
        }
        let status = timeout(WITHIN, child.wait()).await.map_err(|_| "it did not end in time".to_owned())?;
        let status = status.map_err(|e| e.to_string())?;
        if status.success() { Ok("ended well".to_owned()) } else { Err(status.to_string()) }
    };
    let outcome = run.await;
    receipt("command", command.split_whitespace().next().unwrap_or_default(), outcome)
}

async fn clients(context: &Context, plan: &Plan, text: &str) -> Result<Vec<Receipt>, Failure> {
    let input = SetNotice { text: Some(text.to_owned()) };
    let mut told = context.write(&SET_NOTICE, &[], &input, Check { check: false }).await?.outcome;
    let began = tokio::time::Instant::now();
    while !told.awaited.is_empty() && began.elapsed() < AGENTS_WITHIN {
        tokio::time::sleep(LOOK_EVERY).await;
        told = context.read(&NOTICE, &[], &()).await?;
    }
    Ok(plan.mesh.nodes.iter().map(|node| receipt("client", &node.name, reached(&told, &node.name))).collect())
}

/// Where an agent is, its word counts and nothing less.
fn reached(told: &Notice, name: &str) -> Result<String, String> {
    if let Some(seen) = told.acknowledged.iter().find(|seen| seen.node == name) {
        return Ok(format!("its agent acknowledged the notice at {}", seen.at));
    }
    if told.awaited.iter().any(|awaited| awaited == name) {
        return Err("its agent has not acknowledged the notice".to_owned());
    }
    match told.told.iter().any(|took| took == name) {
        true => Ok("its connection took the notice up".to_owned()),
        false => Err("it is not connected".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::server::Acknowledged;

    #[test]
    fn where_an_agent_is_its_word_counts() {
        let names = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        let told = Notice {
            text: Some("t".into()),
            told: names(&["a", "b", "c"]),
            not_told: names(&["d"]),
            acknowledged: vec![Acknowledged { node: "a".into(), at: Timestamp::UNIX_EPOCH }],
            awaited: names(&["b"]),
        };
        assert!(reached(&told, "a").unwrap().contains("agent acknowledged"));
        assert!(reached(&told, "b").unwrap_err().contains("not acknowledged"));
        assert!(reached(&told, "c").unwrap().contains("connection"));
        assert!(reached(&told, "d").is_err() && reached(&told, "e").is_err());
    }
}
