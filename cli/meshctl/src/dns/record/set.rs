//! `meshctl dns record set`.

use std::net::IpAddr;

use api::dns::{SET_RECORD, SetRecord};

use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl dns record set printer 192.168.1.9
  meshctl dns record set intranet.corp.example.com 10.1.0.7 fd00:1::7 --check")]
pub struct Args {
    /// Name; one without a dot is in the tailnet's domain
    name: String,
    /// All addresses of the name
    #[arg(required = true, value_name = "ADDRESS")]
    addresses: Vec<IpAddr>,
    /// Do it even if clients could not find the control server or a relay any more; the log says so
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let thing = format!("record {}", args.name);
    let addresses = args.addresses.into_iter().collect();
    let input = SetRecord { name: args.name, addresses, force: args.force };
    let change = context.write(&SET_RECORD, &[], &input, args.check).await?;
    Answer::of(context, &Done::new(change, "set", "set", thing))
}
