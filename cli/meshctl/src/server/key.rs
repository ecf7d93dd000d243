//! `meshctl server key`: the Noise key, by which clients know the server.

use api::{
    Changed,
    server_key::{Previous, RETIRE, ROTATE, Retire, SHOW, ServerKey, Uses},
};
use clap::Subcommand;
use serde::Serialize;

use crate::talk::{Answer, Check, Context, Failure, Fields, Render, Screen, Table, ago};

#[derive(Subcommand)]
pub enum Verb {
    /// Say which keys are accepted, and while there are two, which device uses which
    List(List),
    /// Make another key; the one before is accepted too until it is retired
    Rotate(Rotate),
    /// Accept the key before no more
    Retire(End),
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl server key list
  meshctl server key list --json | jq -r '.previous.devices[] | select(.uses != \"new\") | .name'")]
pub struct List {}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl server key rotate --check
  meshctl server key rotate

A client fetches the key when it starts and keeps it as long as it runs. Clients that start from
here on are told the new one; those that run go on with the one before, and come back with it,
until they are started again (`systemctl restart tailscaled`, a reboot, an update). `meshctl
server key list` says who is left. Take a backup afterwards: an older one holds the older key
alone.")]
pub struct Rotate {
    #[command(flatten)]
    check: Check,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl server key retire --check
  meshctl server key retire
  meshctl server key retire --force

Refused while a device uses the key before, or was not seen since the rotation and may use it.
With --force those are cut off at once, until their client is started again.")]
pub struct End {
    /// Also when devices are cut off
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    check: Check,
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::List(_) => Answer::of(context, &Listed(context.read(&SHOW, &[], &()).await?)),
            Verb::Rotate(args) => {
                let change = context.write(&ROTATE, &[], &(), args.check).await?;
                Answer::of(context, &Rotated(change))
            }
            Verb::Retire(args) => {
                let change = context.write(&RETIRE, &[], &Retire { force: args.force }, args.check).await?;
                Answer::of(context, &Retired(change))
            }
        }
    }
}

#[derive(Serialize)]
struct Listed(ServerKey);

#[derive(Serialize)]
struct Rotated(Changed<ServerKey>);

#[derive(Serialize)]
struct Retired(Changed<ServerKey>);

impl Render for Listed {
    fn render(&self, screen: &Screen) -> String {
        let fields = Fields::default().add("key", self.0.key);
        let Some(previous) = &self.0.previous else { return fields.render(screen) };
        let mut table = Table::new(["ID", "NAME", "USES", "STATE", "SINCE"], "no devices");
        for device in &previous.devices {
            table.row([
                device.id.to_string(),
                device.name.clone(),
                word(device.uses).to_owned(),
                if device.online { "online" } else { "offline" }.to_owned(),
                device.since.map_or(String::new(), |at| ago(screen.now, at)),
            ]);
        }
        let head = fields
            .add("previous", previous.key)
            .add("rotated", ago(screen.now, previous.since))
            .render(screen);
        format!("{head}\n{}\n{}\n", table.render(screen), left(previous))
    }
}

impl Render for Rotated {
    fn render(&self, _: &Screen) -> String {
        let Rotated(Changed { check, outcome, .. }) = self;
        if *check {
            return format!("would make another key in the place of {}, and accept both\n", outcome.key);
        }
        let before = outcome.previous.as_ref().map(|p| format!("{} is accepted too\n", p.key));
        format!("clients are told {}\n{}", outcome.key, before.unwrap_or_default())
    }
}

impl Render for Retired {
    fn render(&self, _: &Screen) -> String {
        match (self.0.changed, self.0.check) {
            (false, _) => "nothing to change: one key is accepted\n".to_owned(),
            (true, true) => "would accept the previous key no more\n".to_owned(),
            (true, false) => "the previous key is accepted no more\n".to_owned(),
        }
    }
}

fn word(uses: Uses) -> &'static str {
    match uses {
        Uses::Old => "previous",
        Uses::Unseen => "not seen since",
        Uses::New => "new",
    }
}

/// What is in the way of the end.
fn left(previous: &Previous) -> String {
    match (previous.using, previous.unseen) {
        (0, 0) => "nobody uses the previous key: `meshctl server key retire` ends it".to_owned(),
        (using, unseen) => format!("{using} use the previous key, {unseen} were not seen since the rotation"),
    }
}
