//! `meshctl lab up`.

use std::{env, path::PathBuf};

use lab::{Clients, Kept, Record, Tools, Trouble};
use serde::Serialize;

use super::{
    place::{Place, failure},
    progress::Progress,
};
use crate::talk::{Answer, Check, Context, Failure, Fields, Render, Screen, Table};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl lab up
  meshctl lab up --name second --tailscaled ./tailscaled --tailscale ./tailscale
  meshctl lab up --json | jq .hosts

Builds a small internet out of network namespaces: a control server (this program), two homes behind
routers with NAT, three clients (one of them behind a firewall without UDP), a neighbour who is not
in the mesh and a spare host; and joins the clients. Nothing of it touches the machine's own
network, and `meshctl lab down` removes exactly what was made. Needs root, /dev/net/tun and the
official client: the one named, else the one on PATH, else the build kept by tests/clients/go/build.")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// Client daemon [default: the one on PATH, else the build of the tests]
    #[arg(long, value_name = "PATH")]
    tailscaled: Option<PathBuf>,
    /// Client command line [default: the one on PATH, else the build of the tests]
    #[arg(long, value_name = "PATH")]
    tailscale: Option<PathBuf>,
    /// Daemon of another release, for the story that mixes them [default: the older build of the tests]
    #[arg(long, value_name = "PATH", requires = "older_tailscale")]
    older_tailscaled: Option<PathBuf>,
    /// Command line of that release
    #[arg(long, value_name = "PATH", requires = "older_tailscaled")]
    older_tailscale: Option<PathBuf>,
    #[command(flatten)]
    check: Check,
}

/// What is up, or would be.
#[derive(Serialize)]
struct Up {
    changed: bool,
    check: bool,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    hosts: Vec<HostLine>,
    tailscaled: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    older_tailscaled: Option<PathBuf>,
}

#[derive(Serialize)]
struct HostLine {
    host: &'static str,
    address: &'static str,
    what: &'static str,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let Place { name, dir } = &args.place;
    match lab::look(dir, name) {
        Ok(record) => return Answer::of(context, &Up::of(&record, false, args.check.check)),
        Err(why) if !matches!(why.downcast_ref(), Some(Trouble::None(_))) => return Err(failure(&why)),
        Err(_) => {}
    }
    lab::prerequisites().map_err(|why| failure(&Trouble::Machine(format!("{why:#}")).into()))?;
    let tools = args.tools()?;
    if args.check.check {
        let record = Record::planned(name, tools);
        return Answer::of(context, &Up::of(&record, true, true));
    }
    let progress = Progress::new(context.screen().json);
    let kept = Kept::build(dir, name, tools, &|step| progress.step(step)).map_err(|why| failure(&why))?;
    Answer::of(context, &Up::of(kept.record(), true, false))
}

impl Args {
    fn tools(&self) -> Result<Tools, Failure> {
        let no_client = |why: anyhow::Error| failure(&Trouble::Clients(format!("no client: {why:#}")).into());
        let clients = Clients::choose(self.tailscaled.clone(), self.tailscale.clone()).map_err(no_client)?;
        let older = match (&self.older_tailscaled, &self.older_tailscale) {
            (Some(daemon), Some(command)) => {
                Some(Clients::choose(Some(daemon.clone()), Some(command.clone())).map_err(no_client)?)
            }
            _ => Clients::find_older().ok(),
        };
        let meshctl = env::current_exe().ok().filter(|path| path.is_file());
        let meshctl = meshctl.ok_or_else(|| {
            Failure::failed("the file of this program is gone").hint("build it again, and start the new one")
        })?;
        Ok(Tools { meshctl, clients, older })
    }
}

impl Up {
    fn of(record: &Record, changed: bool, check: bool) -> Self {
        let hosts = lab::ACCEPTANCE.places();
        Self {
            changed,
            check,
            name: record.name.clone(),
            seconds: (record.seconds > 0.0).then_some(record.seconds),
            hosts: hosts.into_iter().map(|(host, address, what)| HostLine { host, address, what }).collect(),
            tailscaled: record.tools.clients.tailscaled.clone(),
            older_tailscaled: record.tools.older.as_ref().map(|older| older.tailscaled.clone()),
        }
    }
}

impl Render for Up {
    fn render(&self, screen: &Screen) -> String {
        let name = &self.name;
        let mut table = Table::new(["HOST", "ADDRESS", "WHAT"], "");
        for line in &self.hosts {
            table.row([line.host.to_owned(), line.address.to_owned(), line.what.to_owned()]);
        }
        let older = self.older_tailscaled.as_ref().map(|path| path.display().to_string());
        let fields = Fields::default().add("client", self.tailscaled.display()).add_if("older client", older);
        let head = match (self.changed, self.check, self.seconds) {
            (true, true, _) => format!("would build lab {name}\n"),
            (false, ..) => format!("nothing to change: lab {name} is up\n"),
            (true, false, seconds) => {
                format!("lab {name} is up, in {:.1} s; all clients are joined\n", seconds.unwrap_or_default())
            }
        };
        let flag = if name == "lab" { String::new() } else { format!(" --name {name}") };
        let next = format!(
            "\nTry: meshctl lab exec{flag} a -- tailscale status\n     meshctl lab exec{flag} srv -- meshctl node list\n     \
             meshctl lab test{flag}\n"
        );
        let next = if self.check { String::new() } else { next };
        format!("{head}\n{}\n{}{next}", table.render(screen), fields.render(screen))
    }
}
