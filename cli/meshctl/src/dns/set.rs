//! `meshctl dns set`.

use api::dns::{Edit, SET};
use clap::ValueEnum;

use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl dns set --resolver 1.1.1.1 --resolver https://dns.nextdns.io/abc123 --override-local on
  meshctl dns set --split corp.example.com=10.1.0.53,10.1.0.54 --search corp.example.com --check
  meshctl dns set --split corp.example.com=none --resolver none")]
#[command(override_usage = "meshctl dns set [OPTIONS] <--magic <ON|OFF>|--override-local <ON|OFF>|
       --resolver <ADDRESS>|--split <SUFFIX=ADDRESS,…>|--search <DOMAIN>>")]
#[command(group(clap::ArgGroup::new("change").required(true).multiple(true)))]
pub struct Args {
    /// Whether clients answer for the tailnet's own domain
    #[arg(long, value_enum, group = "change", value_name = "ON|OFF")]
    magic: Option<Switch>,
    /// Whether the global nameservers take the place of those that a machine has
    #[arg(long, value_enum, group = "change", value_name = "ON|OFF")]
    override_local: Option<Switch>,
    /// All global nameservers: addresses, addresses with ports or https:// URLs; `none` for none
    #[arg(long = "resolver", group = "change", value_name = "ADDRESS", value_delimiter = ',')]
    resolvers: Vec<String>,
    /// Nameservers of a suffix and all below it; `none` takes the suffix away, other suffixes stay
    #[arg(long = "split", group = "change", value_name = "SUFFIX=ADDRESS,…", value_parser = split)]
    split: Vec<(String, Vec<String>)>,
    /// All suffixes to try behind the tailnet's own; `none` for none
    #[arg(long = "search", group = "change", value_name = "DOMAIN", value_delimiter = ',')]
    search: Vec<String>,
    /// Do it even if clients could not find the control server or a relay any more; the log says so
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    check: Check,
}

#[derive(Clone, Copy, ValueEnum)]
enum Switch {
    On,
    Off,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let on = |switch: Option<Switch>| switch.map(|switch| matches!(switch, Switch::On));
    let edit = Edit {
        magic: on(args.magic),
        override_local: on(args.override_local),
        resolvers: list(args.resolvers),
        split: args.split.into_iter().collect(),
        search: list(args.search),
        force: args.force,
    };
    let change = context.write(&SET, &[], &edit, args.check).await?;
    Answer::of(context, &Done::new(change, "change", "changed", "the DNS settings".to_owned()))
}

/// None when nothing was given, so that it stays; `none` when nothing is wanted.
fn list(given: Vec<String>) -> Option<Vec<String>> {
    let wanted = || given.iter().filter(|text| *text != "none").cloned().collect();
    (!given.is_empty()).then(wanted)
}

fn split(text: &str) -> Result<(String, Vec<String>), String> {
    let form = || "a suffix and its nameservers, such as corp.example.com=10.1.0.53".to_owned();
    let (suffix, servers) =
        text.split_once('=').filter(|(s, to)| !s.is_empty() && !to.is_empty()).ok_or_else(form)?;
    let servers =
        if servers == "none" { Vec::new() } else { servers.split(',').map(str::to_owned).collect() };
    Ok((suffix.to_owned(), servers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_has_nameservers_or_none() {
        assert_eq!(split("a.b=1.1.1.1,[::1]:5").unwrap().1, ["1.1.1.1", "[::1]:5"]);
        assert!(split("a.b=none").unwrap().1.is_empty());
        assert!(split("a.b").is_err() && split("a.b=").is_err() && split("=1.1.1.1").is_err());
    }

    #[test]
    fn nothing_given_leaves_things_and_none_empties_them() {
        assert_eq!(list(vec![]), None);
        assert_eq!(list(vec!["none".into()]), Some(vec![]));
        assert_eq!(list(vec!["1.1.1.1".into()]), Some(vec!["1.1.1.1".into()]));
    }
}
