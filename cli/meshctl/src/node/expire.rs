//! `meshctl node expire`.

use api::node::{EXPIRE, Expiry, SET_EXPIRY};

use crate::talk::{Answer, Check, Context, Done, Failure, Lifetime};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl node expire web-1
  meshctl node expire 5 --check
  meshctl node expire laptop --in 30d
  meshctl node expire kiosk --never

At once, unless --in or --never says otherwise: the device has to join again, and keeps id and
addresses when it does. --never holds for the keys that it comes back with too, until an expiry is
set.")]
pub struct Args {
    /// Name, full name or id
    node: String,
    /// That long from now
    #[arg(long = "in", value_name = "TIME", conflicts_with = "never")]
    after: Option<Lifetime>,
    /// Its keys are accepted for ever
    #[arg(long)]
    never: bool,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let seconds = args.after.map(|long| long.seconds);
    if seconds.is_none() && !args.never {
        let change = context.write(&EXPIRE, &[&args.node], &(), args.check).await?;
        let node = &change.outcome.node;
        let thing = format!("the key of node {} ({})", node.name, node.id);
        return Answer::of(context, &Done::new(change, "expire", "expired", thing));
    }
    let change = context.write(&SET_EXPIRY, &[&args.node], &Expiry { seconds }, args.check).await?;
    let node = &change.outcome.node;
    let until = node.expires.map_or("never expires".to_owned(), |at| format!("is accepted until {at}"));
    let thing = format!("that the key of node {} ({}) {until}", node.name, node.id);
    Answer::of(context, &Done::new(change, "set", "set", thing))
}
