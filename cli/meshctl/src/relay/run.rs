//! `meshctl relay run`.

use std::path::PathBuf;

use control::standalone::{self, Standalone};
use serde::Serialize;
use serde_json::Value;

use super::settings::{Settings, fault};
use crate::{
    server::{HangupSignals, LogFormat, State, StopSignals, log, notify},
    talk::{Answer, Context, Failure, Render, Screen},
};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl relay run --hostname relay.example.com --verify https://mesh.example.com
  meshctl relay run --config /etc/meshctl-relay/config.yaml
  meshctl relay run --config new.yaml --check

Runs in the foreground. What it prints first is for the control server: a region of its DERP map,
see `meshctl relay map`. Nobody is let in but the devices that the control server knows: it is asked
when one comes, and again while it stays. SIGINT and SIGTERM stop it in order; SIGHUP has it read
its certificate files again. A service manager that asks for it is told when it is ready.")]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Say whether the configuration could be run, and run nothing
    #[arg(long)]
    check: bool,
    /// What to log: error, warn, info, debug, trace, or per part such as control=debug,warn
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
    /// How to write the log
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

#[derive(Serialize)]
struct Valid {
    valid: bool,
}

/// What is said once clients are served.
#[derive(Serialize)]
struct Serving {
    hostname: String,
    port: u16,
    data_dir: PathBuf,
    map: Value,
    #[serde(skip)]
    file: String,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let config = args.settings.resolve()?;
    if args.check {
        return Answer::of(context, &Valid { valid: true });
    }
    log(&args.log, args.log_format)?;
    let (stops, hangups) = (StopSignals::watch()?, HangupSignals::watch()?);
    let (region, data_dir) = (config.region.clone(), config.data_dir.clone());
    let relay = Standalone::start(config).await.map_err(|e| fault(&e))?;
    let map = serde_json::to_value(relay.map()).map_err(|e| Failure::failed(e.to_string()))?;
    let file = standalone::map_file(relay.map());
    let serving = Serving { hostname: region.host, port: region.port, data_dir, map, file };
    context.screen().show(&Answer::of(context, &serving)?);
    serve(relay, stops, hangups).await?;
    Ok(Answer::silent())
}

async fn serve(relay: Standalone, mut stops: StopSignals, mut hangups: HangupSignals) -> Result<(), Failure> {
    notify(State::Ready);
    tokio::select! {
        () = stops.next() => {}
        () = reload_at(&mut hangups, &relay) => {}
    }
    notify(State::Stopping);
    tokio::select! {
        () = relay.stop() => Ok(()),
        () = stops.next() => Err(Failure::failed("ended before everything was stopped")),
    }
}

/// Each time the signal comes, for ever.
async fn reload_at(hangups: &mut HangupSignals, relay: &Standalone) {
    loop {
        hangups.next().await;
        notify(State::Reloading);
        match relay.reload() {
            Ok(true) => tracing::info!("another certificate is shown from now on"),
            Ok(false) => tracing::info!("there is no other certificate"),
            Err(why) => tracing::error!(%why, "the certificate stays as it was"),
        }
        notify(State::Ready);
    }
}

impl Render for Valid {
    fn render(&self, _: &Screen) -> String {
        "the configuration is valid\n".to_owned()
    }
}

impl Render for Serving {
    fn render(&self, _: &Screen) -> String {
        let Serving { hostname, port, data_dir, file, .. } = self;
        let folder = data_dir.display();
        format!(
            "relaying at {hostname}:{port} from {folder}\n# For the control server's `derp_maps`:\n{file}"
        )
    }
}
