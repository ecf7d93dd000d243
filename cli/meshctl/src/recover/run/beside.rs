//! Steps that are other verbs of this program: rotation and checks, run as a program of their own with the same server.

use std::{env, path::Path, time::Duration};

use api::server::STATUS;
use readiness::runbook::Outcome;
use serde_json::{Value, json};
use tokio::process::Command;

use super::Wishes;
use crate::{
    reset::Mesh,
    talk::{Context, Failure, SecretFile, Way},
};

/// How long a server that was started may take to answer.
const ANSWER_LOOKS: u32 = 60;
const ANSWER_EVERY: Duration = Duration::from_millis(500);

/// After a restore the server is given time to answer.
pub async fn settle(context: &Context, outcome: &Outcome) {
    if !matches!(outcome, Outcome::Done(_)) {
        return;
    }
    for _ in 0..ANSWER_LOOKS {
        if context.read(&STATUS, &[], &()).await.is_ok() {
            return;
        }
        tokio::time::sleep(ANSWER_EVERY).await;
    }
}

/// The key in the vault is a dead one after a reset: it is rotated, deployed and tried.
pub async fn consumers(context: &Context, wishes: &Wishes) -> Result<Outcome, Failure> {
    let (Some(vault), Some(var)) = (&wishes.vault, &wishes.var) else {
        return Ok(Outcome::Skipped("no vault was named: --vault FILE --var NAME".to_owned()));
    };
    let mut words = vec!["secret".to_owned(), "rotate".to_owned(), "headplane-api-key".to_owned()];
    words.extend(["--file".to_owned(), vault.display().to_string(), "--var".to_owned(), var.clone()]);
    if let Some(file) = &wishes.vault_password_file {
        words.extend(["--vault-password-file".to_owned(), file.display().to_string()]);
    }
    if let Some(command) = &wishes.deploy {
        words.extend(["--deploy".to_owned(), command.clone()]);
    }
    let (ended_well, answer) = ourselves(context, &words).await?;
    let why = answer["error"]["detail"].as_str().unwrap_or("it was not rotated");
    Ok(if ended_well {
        Outcome::Done(format!("{var} is new in {}", vault.display()))
    } else {
        Outcome::Failed(why.to_owned())
    })
}

/// The checks of the stage, with the mesh of the plan as what was there before.
pub async fn checks(
    context: &Context,
    wishes: &Wishes,
    mesh: &Mesh,
    journal: &Path,
) -> Result<Outcome, Failure> {
    let expect = journal.with_extension("expect.json");
    let routes: Vec<_> = mesh.nodes.iter().flat_map(|n| &n.primary_routes).map(ToString::to_string).collect();
    let memory = json!({
        "at": jiff::Timestamp::now(),
        "server_url": mesh.server_url,
        "public_key": mesh.public_key.to_string(),
        "nodes": mesh.nodes,
        "routes": routes,
    });
    SecretFile::prepare(&expect)?.commit(&memory.to_string())?;
    let mut words = vec!["check".to_owned()];
    let mut ids = vec!["server.answers", "clients.reregistered", "routes.serving"];
    if !mesh.users.is_empty() {
        ids.push("users.exist");
    }
    if let (Some(vault), Some(var)) = (&wishes.vault, &wishes.var) {
        ids.push("vault.matches-server");
        words.extend(["--vault".to_owned(), vault.display().to_string(), "--var".to_owned(), var.clone()]);
        if let Some(file) = &wishes.vault_password_file {
            words.extend(["--vault-password-file".to_owned(), file.display().to_string()]);
        }
    }
    words.extend(ids.iter().flat_map(|id| ["--only".to_owned(), (*id).to_owned()]));
    words.extend(["--expect".to_owned(), expect.display().to_string()]);
    let (ended_well, answer) = ourselves(context, &words).await?;
    let _ = std::fs::remove_file(&expect);
    if ended_well {
        return Ok(Outcome::Done(format!("{} checks, nothing owed", ids.len())));
    }
    let owed = answer["checks"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|check| matches!(check["state"].as_str(), Some("fail" | "unknown")));
    let owed: Vec<_> = owed.filter_map(|check| check["id"].as_str()).collect();
    Ok(Outcome::Waiting(format!("`meshctl check --stage after-reset` says why: {}", owed.join(", "))))
}

/// This program with the same server; whether it ended well, and its answer.
async fn ourselves(context: &Context, words: &[String]) -> Result<(bool, Value), Failure> {
    let program =
        env::current_exe().map_err(|e| Failure::failed(format!("cannot find this program: {e}")))?;
    let mut command = Command::new(program);
    command.args(words).arg("--json");
    if let Some(target) = context.target() {
        match &target.way {
            Way::Socket(path) => command.arg("--socket").arg(path),
            Way::Url { url, api_key_file } => {
                command.args(["--server", url]).arg("--api-key-file").arg(api_key_file)
            }
        };
        command.args(["--tailnet", &target.tailnet]);
    }
    let output = command.output().await.map_err(|e| Failure::failed(e.to_string()))?;
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_default();
    Ok((output.status.success(), answer))
}
