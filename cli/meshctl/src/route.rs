//! `meshctl route`: routes that devices offer to the mesh.

mod approve;
mod list;
mod revoke;

use clap::Subcommand;
use ipnet::IpNet;

use crate::talk::{Answer, Check, Context, Failure};

#[derive(Subcommand)]
pub enum Verb {
    /// Show what is offered, approved and served
    List(list::Args),
    /// Let a device serve routes
    Approve(approve::Args),
    /// Take routes away from a device
    Revoke(revoke::Args),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::List(args) => list::run(context, args).await,
            Verb::Approve(args) => approve::run(context, args).await,
            Verb::Revoke(args) => revoke::run(context, args).await,
        }
    }
}

/// Routes of one device.
#[derive(clap::Args)]
struct Chosen {
    /// Name, full name or id of the device
    node: String,
    /// Prefixes such as 192.168.1.0/24; `exit` for both default routes
    #[arg(required = true, value_name = "PREFIX", value_parser = parse)]
    prefixes: Vec<Prefixes>,
    #[command(flatten)]
    check: Check,
}

impl Chosen {
    fn choice(&self) -> api::route::Choice {
        let prefixes = self.prefixes.iter().flat_map(|p| p.0.clone()).collect();
        api::route::Choice { node: self.node.clone(), prefixes }
    }
}

#[derive(Clone)]
struct Prefixes(Vec<IpNet>);

fn parse(text: &str) -> Result<Prefixes, String> {
    let wanted = if text == "exit" { vec!["0.0.0.0/0", "::/0"] } else { vec![text] };
    let parsed: Result<Vec<IpNet>, _> = wanted.into_iter().map(str::parse).collect();
    let prefixes =
        parsed.map_err(|_| "a prefix such as 192.168.1.0/24 or fd00:1::/64, or `exit`".to_owned())?;
    match prefixes.iter().find(|p| p.trunc() != **p) {
        Some(p) => Err(format!("the address has bits behind the prefix; {} is meant?", p.trunc())),
        None => Ok(Prefixes(prefixes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_means_both_families() {
        assert_eq!(parse("exit").unwrap().0.len(), 2);
        assert_eq!(parse("10.0.0.0/8").unwrap().0[0].to_string(), "10.0.0.0/8");
        assert!(parse("10.0.0.1/8").err().unwrap().contains("10.0.0.0/8"));
        assert!(parse("10.0.0.1").is_err());
    }
}
