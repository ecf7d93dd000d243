//! `meshctl reset plan`.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    notify::{Channels, tell},
    snapshot::{Mesh, Plan, Receipt},
};
use crate::talk::{Answer, Check, Context, Exit, Failure, Render, Screen, Table};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl reset plan --out reset.json --reason 'new address range' --check
  meshctl reset plan --out reset.json --reason 'new address range' --webhook-file slack.url
  meshctl reset plan --out reset.json --reason 'move' --command 'mail -s reset ops@example.com'

Writes down what a reset would lose: people, devices with owners, tags and routes, roles, keys
(masked), API keys (masked), policy, DNS. Then tells every connected client, which shows it as a
health warning, and whomever the flags name; each gets a receipt in the plan, which `meshctl
check --only clients.notified --reset-plan FILE` judges and without which `meshctl reset run`
refuses. Holds for 24 hours. Ends with 4 when somebody was not reached.")]
pub struct Args {
    /// Where to write the plan (0600)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Why, for those who are told
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// What clients show [default: that the mesh is going to be reset, and why]
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    #[command(flatten)]
    channels: Channels,
    #[command(flatten)]
    check: Check,
}

/// What is lost, and who was told.
#[derive(Serialize)]
struct Planned {
    changed: bool,
    check: bool,
    file: PathBuf,
    server_url: String,
    database: String,
    users: usize,
    nodes: usize,
    roles: usize,
    keys: usize,
    apikeys: usize,
    receipts: Vec<Receipt>,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let taken =
        Plan::is_at(&args.out).map_err(|e| Failure::failed(format!("{}: {e}", args.out.display())))?;
    if taken {
        return Err(Failure::failed(format!("{} is there already", args.out.display()))
            .hint("a plan is kept for the recovery: name another file"));
    }
    let mesh = Mesh::ask(context).await?;
    let default =
        || format!("This mesh is going to be reset: {}. You will have to connect again.", args.reason);
    let notice = args.text.unwrap_or_else(default);
    let mut plan = Plan { made: Timestamp::now(), reason: args.reason, notice, mesh, receipts: Vec::new() };
    if !args.check.check {
        plan.keep(&args.out)?;
        plan.receipts = tell(context, &plan, &args.channels, &plan.notice).await?;
        plan.keep(&args.out)?;
    }
    let missed = plan.receipts.iter().any(|r| !r.reached);
    let mesh = plan.mesh;
    let planned = Planned {
        changed: true,
        check: args.check.check,
        file: args.out,
        server_url: mesh.server_url,
        database: mesh.database,
        users: mesh.users.len(),
        nodes: mesh.nodes.len(),
        roles: mesh.roles.len(),
        keys: mesh.keys.len(),
        apikeys: mesh.apikeys.len(),
        receipts: plan.receipts,
    };
    Ok(Answer::of(context, &planned)?.exit(if missed { Exit::Warned } else { Exit::Ok }))
}

impl Render for Planned {
    fn render(&self, screen: &Screen) -> String {
        let deed = if self.check { "would write" } else { "wrote" };
        let mut text = format!(
            "{deed} {}: a reset of {} loses {} devices, {} people, {} roles, {} keys, {} API keys\n",
            self.file.display(),
            self.server_url,
            self.nodes,
            self.users,
            self.roles,
            self.keys,
            self.apikeys
        );
        let mut table = Table::new(["TOLD", "WHO", "ANSWER"], "nobody was told");
        for r in &self.receipts {
            let told = if r.reached { "yes" } else { "NO" };
            table.row([told.to_owned(), format!("{} {}", r.channel, r.to), r.detail.clone()]);
        }
        text.push_str(&table.render(screen));
        text
    }
}
