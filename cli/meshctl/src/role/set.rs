//! `meshctl role set`.

use api::role::{SET, Set};
use ident::Tag;

use crate::talk::{Answer, Check, Context, Done, Failure, Lifetime};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl role set server --tag tag:server --description 'machines in the racks'
  meshctl role set ci --tag tag:ci --expires 1h --reusable --ephemeral
  meshctl role set server --expires 30d --check
  meshctl role set contractor --node-expires 30d

What is not named stays as it is. A role that is new needs its tags, and every tag must be in
tagOwners of the policy; a new role has single-use keys that live 24h unless it says otherwise.")]
pub struct Args {
    /// Lower-case letters, digits and hyphens
    role: String,
    /// What its devices are; several times for several tags, which replace those before
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Tag>,
    /// For people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Lifetime of its keys, for example 24h, 90d
    #[arg(long, value_name = "TIME")]
    expires: Option<Lifetime>,
    /// Its keys may let several devices in
    #[arg(long, conflicts_with = "single_use")]
    reusable: bool,
    /// Its keys let one device in
    #[arg(long)]
    single_use: bool,
    /// Its devices are forgotten when they go away
    #[arg(long, conflicts_with = "lasting")]
    ephemeral: bool,
    /// Its devices stay when they go away
    #[arg(long)]
    lasting: bool,
    /// How long the keys of its devices are accepted, for example 90d, or never
    #[arg(long, value_name = "TIME")]
    node_expires: Option<NodeLifetime>,
    #[command(flatten)]
    check: Check,
}

/// A lifetime, or none that ends.
#[derive(Debug, Clone, Copy)]
pub struct NodeLifetime(Option<Lifetime>);

impl std::str::FromStr for NodeLifetime {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" { Ok(Self(None)) } else { text.parse().map(|long| Self(Some(long))) }
    }
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let input = Set {
        tags: (!args.tags.is_empty()).then_some(args.tags),
        description: args.description,
        expiry_seconds: args.expires.map(|l| l.seconds),
        reusable: (args.reusable || args.single_use).then_some(args.reusable),
        ephemeral: (args.ephemeral || args.lasting).then_some(args.ephemeral),
        node_expiry_seconds: args.node_expires.map(|l| l.0.map_or(0, |l| l.seconds)),
    };
    let change = context.write(&SET, &[&args.role], &input, args.check).await?;
    Answer::of(context, &Done::new(change, "set", "set", format!("role {}", args.role)))
}
