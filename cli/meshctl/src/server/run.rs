//! `meshctl server run`.

use std::path::PathBuf;

use control::{Ready, Server};
use serde::Serialize;

use super::launch::{HangupSignals, LogFormat, Settings, StopSignals, fault, log, serve};
use crate::talk::{Answer, Context, Failure, Render, Screen};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl server run --config /etc/meshctl/config.yaml
  meshctl server run --data-dir ./mesh-data --listen 127.0.0.1:8080

Runs in the foreground; one line on standard output says when clients are served, the log goes to
standard error. SIGINT and SIGTERM stop it in order; SIGHUP has it read its configuration again, see
`meshctl server reload`. A service manager that asks for it is told when it is ready, reloads and
stops (Type=notify-reload).")]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    /// What to log: error, warn, info, debug, trace, or per part such as control=debug,warn
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
    /// How to write the log
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

/// What is said once clients are served.
#[derive(Serialize)]
struct Serving {
    server_url: String,
    socket: PathBuf,
    data_dir: PathBuf,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let config = args.settings.resolve()?;
    log(&args.log, args.log_format)?;
    let (signals, reloads) = (StopSignals::watch()?, HangupSignals::watch()?);
    let settings = args.settings.clone();
    let again = Box::new(move || settings.again());
    let server = Server::start_from(config, again).await.map_err(|e| fault(&e))?;
    let Ready { server_url, socket, data_dir } = server.ready().clone();
    context.screen().show(&Answer::of(context, &Serving { server_url, socket, data_dir })?);
    serve(server, signals, Some(reloads)).await?;
    Ok(Answer::silent())
}

impl Render for Serving {
    fn render(&self, _: &Screen) -> String {
        format!("serving {} from {}\n", self.server_url, self.data_dir.display())
    }
}
