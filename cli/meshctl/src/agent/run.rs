//! `meshctl agent run`.

use std::{path::PathBuf, time::Duration};

use api::agent::{Report, State, Taken};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{
    config::{Config, PLACE},
    door,
    local::Local,
    look::look,
    recovery,
    report::{report, send},
};
use crate::{
    probe::tls::Trust,
    server::{LogFormat, StopSignals, log},
    talk::{Answer, Context, Exit, Failure, Render, Screen, SecretFile, Table},
};

/// How often the client is looked at between two looks at everything.
const GLANCE_EVERY: Duration = Duration::from_secs(3);
/// What is kept in the state folder.
pub const LAST: &str = "last.json";

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl agent run --config /etc/meshctl-agent/agent.yaml
  meshctl agent run --once --json

Looks at the tunnel, names inside and outside the mesh, the way to the server, its clock, the node's
key, its relay and declared files, every minute and whenever the client's state or its warnings
change, and reports to the server with the identity of the node. With an instruction that the
operator has signed, and only when its mesh is gone, it joins again. --once ends with 1 when a check
fails, with 3 when one could not be determined or the server did not take the report.")]
pub struct Args {
    /// Configuration [default: /etc/meshctl-agent/agent.yaml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Look once, report once, end
    #[arg(long)]
    once: bool,
    /// What to log: error, warn, info, debug
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
    /// How to write the log
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

/// What one round came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Round {
    /// The worst of its checks.
    pub state: State,
    /// What was found.
    pub report: Report,
    /// What the server made of it.
    pub taken: Option<Taken>,
    /// Why it is not there.
    pub not_taken: Option<String>,
}

struct Agent {
    config: Config,
    local: Local,
    trust: Trust,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let config = Config::load(args.config.as_deref())?;
    let (local, trust) = (Local::new(config.tailscale_socket.clone()), config.trust()?);
    let agent = Agent { config, local, trust };
    if args.once {
        let round = agent.round().await;
        let exit = match round.state {
            State::Fail => Exit::Failed,
            State::Unknown => Exit::Unknown,
            _ if round.taken.is_none() => Exit::Unknown,
            State::Warn | State::Pass | State::Skip => Exit::Ok,
        };
        return Ok(Answer::of(context, &round)?.exit(exit));
    }
    log(&args.log, args.log_format)?;
    let mut signals = StopSignals::watch()?;
    let place = args.config.unwrap_or_else(|| PLACE.into());
    tracing::info!(config = %place.display(), every = agent.config.every_seconds, "the agent runs");
    tokio::select! {
        () = signals.next() => Ok(Answer::silent()),
        () = agent.rounds() => Ok(Answer::silent()),
    }
}

impl Agent {
    async fn rounds(&self) {
        let mut said = None;
        loop {
            let (begun, mark) = (Instant::now(), self.mark().await);
            let round = self.round().await;
            let news = (round.state, round.not_taken.clone(), round.report.recovery.clone());
            if said.as_ref() != Some(&news) {
                tell(&round);
                said = Some(news);
            }
            let due = begun + Duration::from_secs(self.config.every_seconds);
            loop {
                sleep(GLANCE_EVERY).await;
                let now = self.mark().await;
                if Instant::now() >= due || now != mark {
                    break;
                }
            }
        }
    }

    /// What a change of calls for another look at once.
    async fn mark(&self) -> Option<(String, bool, String, Vec<String>)> {
        self.local.status().await.ok().map(|status| status.mark())
    }

    async fn round(&self) -> Round {
        let look = look(&self.config, &self.local, &self.trust).await;
        let recovery = match &self.config.door {
            _ if self.config.recovery.is_none() => Ok(None),
            Some(door) => door::recover(door).await,
            None => recovery::attempt(&self.config).await,
        };
        let recovery = recovery.unwrap_or_else(|why| Some(format!("no recovery: {why}")));
        let report = report(&self.config, &look, recovery);
        let sent = match &look.url {
            Ok(url) if !url.is_empty() => send(&self.config, url, &report, &self.trust).await,
            Ok(_) => Err("the client was never told of a server".to_owned()),
            Err(why) => Err(why.clone()),
        };
        let (taken, not_taken) = match sent {
            Ok(taken) => (Some(taken), None),
            Err(why) => (None, Some(why)),
        };
        let round = Round { state: report.state(), report, taken, not_taken };
        if let Err(why) = self.keep(&round) {
            tracing::warn!(why, "what was found is not kept");
        }
        round
    }

    fn keep(&self, round: &Round) -> Result<(), String> {
        let Some(folder) = &self.config.state_dir else { return Ok(()) };
        let text = serde_json::to_string(round).map_err(|e| e.to_string())?;
        SecretFile::prepare(&folder.join(LAST)).and_then(|file| file.commit(&text)).map_err(|e| e.detail)
    }
}

/// What is new, a line each.
fn tell(round: &Round) {
    for check in round.report.checks.iter().filter(|check| check.state > State::Pass) {
        tracing::warn!(check = check.id, state = ?check.state, "{}", check.detail);
    }
    for line in &round.report.health {
        tracing::warn!("the client shows: {line}");
    }
    if let Some(recovery) = &round.report.recovery {
        tracing::warn!("{recovery}");
    }
    match (&round.taken, &round.not_taken) {
        (Some(taken), _) => {
            tracing::info!(node = taken.name, state = ?round.state, memory_kib = round.report.memory_kib, "reported")
        }
        (None, Some(why)) => tracing::warn!("not reported: {why}"),
        (None, None) => {}
    }
}

impl Render for Round {
    fn render(&self, screen: &Screen) -> String {
        let mut table = Table::new(["CHECK", "STATE", "FOUND"], "nothing was looked at");
        for check in &self.report.checks {
            let state = super::judged(check.state).word().to_owned();
            table.row([check.id.clone(), state, check.detail.clone()]);
        }
        let mut text = table.render(screen);
        if let Some(recovery) = &self.report.recovery {
            text.push_str(&format!("recovery: {recovery}\n"));
        }
        text.push_str(&match (&self.taken, &self.not_taken) {
            (Some(taken), _) => format!("reported as {}\n", taken.name),
            (None, Some(why)) => format!("not reported: {why}\n"),
            (None, None) => String::new(),
        });
        text
    }
}
