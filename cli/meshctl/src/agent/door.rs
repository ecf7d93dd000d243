//! `meshctl agent door`: what needs rights, for an agent that has none. One question on standard input, one answer.

use std::{
    io::{self, BufRead, Read, Write},
    path::{Path, PathBuf},
};

use api::agent::AUDIENCE;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    time::timeout,
};

use super::{config::Config, local::Local, recovery};
use crate::talk::{Answer, Failure};

const LONGEST: u64 = 4 << 10;
/// Longer than joining takes.
const JOINED_WITHIN: std::time::Duration = std::time::Duration::from_secs(150);

#[derive(clap::Args)]
#[command(after_help = "Examples:
  echo '{\"do\":\"recover\"}' | meshctl agent door --config /etc/meshctl-agent/agent.yaml

Started by systemd for one question of the agent, with its connection as standard input and output.
It fetches an identity token for a report, and joins the mesh again on an instruction that the
operator has signed; it checks both itself and does nothing else.")]
pub struct Args {
    /// The agent's configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What the agent may ask for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
enum Wish {
    Token { audience: String },
    Recover,
}

/// What it is answered.
#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    #[serde(rename = "token")]
    Token(String),
    /// What became of a recovery; nothing when there is no instruction.
    #[serde(rename = "recovery")]
    Recovery(Option<String>),
    #[serde(rename = "refused")]
    Refused(String),
}

pub async fn run(args: Args) -> Result<Answer, Failure> {
    let config = Config::load(args.config.as_deref())?;
    let failed = |e: io::Error| Failure::failed(e.to_string());
    let mut line = String::new();
    io::stdin().lock().take(LONGEST).read_line(&mut line).map_err(failed)?;
    let reply = match serde_json::from_str(&line) {
        Ok(wish) => answer(&config, wish).await,
        Err(e) => Reply::Refused(format!("this is no question for the door: {e}")),
    };
    let text = serde_json::to_string(&reply).map_err(|e| Failure::failed(e.to_string()))?;
    let mut out = io::stdout().lock();
    out.write_all(format!("{text}\n").as_bytes()).and_then(|()| out.flush()).map_err(failed)?;
    Ok(Answer::silent())
}

async fn answer(config: &Config, wish: Wish) -> Reply {
    match wish {
        Wish::Token { audience } => {
            let local = Local::new(config.tailscale_socket.clone());
            fetch(config, &local, &audience).await.map_or_else(Reply::Refused, Reply::Token)
        }
        Wish::Recover => recovery::attempt(config).await.map_or_else(Reply::Refused, Reply::Recovery),
    }
}

/// A token for a report and for nothing else; which mesh it is from is remembered.
pub async fn fetch(config: &Config, local: &Local, audience: &str) -> Result<String, String> {
    let digest = audience.strip_prefix(AUDIENCE);
    if !digest.is_some_and(|d| d.len() == 64 && d.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err("tokens are for reports only".to_owned());
    }
    let token = local.token(audience).await?;
    if let Some(claims) = claims(&token) {
        recovery::remember(config, &claims.database, &local.status().await?.name())?;
    }
    Ok(token)
}

#[derive(Deserialize)]
struct Claims {
    database: String,
}

/// It came over the client's own channel: whose it is needs no further proof.
fn claims(token: &str) -> Option<Claims> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?).ok()
}

/// Has the door fetch a token.
pub async fn token(door: &Path, audience: &str) -> Result<String, String> {
    match ask(door, &Wish::Token { audience: audience.to_owned() }).await? {
        Reply::Token(token) => Ok(token),
        Reply::Refused(why) => Err(why),
        Reply::Recovery(_) => Err("the door answers another question".to_owned()),
    }
}

/// Has the door look whether this machine is to join again, and do it.
pub async fn recover(door: &Path) -> Result<Option<String>, String> {
    match ask(door, &Wish::Recover).await? {
        Reply::Recovery(outcome) => Ok(outcome),
        Reply::Refused(why) => Err(why),
        Reply::Token(_) => Err("the door answers another question".to_owned()),
    }
}

async fn ask(door: &Path, wish: &Wish) -> Result<Reply, String> {
    let place = door.display();
    let mut question = serde_json::to_string(wish).map_err(|e| e.to_string())?;
    question.push('\n');
    let asked = async {
        let mut stream = UnixStream::connect(door).await?;
        stream.write_all(question.as_bytes()).await?;
        let mut line = String::new();
        BufReader::new(stream.take(LONGEST)).read_line(&mut line).await?;
        Ok::<_, std::io::Error>(line)
    };
    let line = timeout(JOINED_WITHIN, asked).await.map_err(|_| format!("{place} does not answer"))?;
    let line = line.map_err(|e| format!("{place}: {e}"))?;
    serde_json::from_str(&line).map_err(|e| format!("{place} answers in other words: {e}"))
}
