//! `meshctl policy diff`.

use policy::{Difference, Kind, Roster, Shift};
use serde::Serialize;

use super::ask::{Nodes, Source, devices};
use crate::talk::{Answer, Context, Exit, Failure, Render, Screen};

/// How many gains and how many losses are shown without --full.
const MOST: usize = 40;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl policy diff live policy.hujson
  meshctl policy diff old.hujson new.hujson --nodes nodes.json --full
  meshctl policy diff version:6 version:7
  meshctl policy diff live policy.hujson --json | jq '.gained[] | select(.foretold | not)'

A policy is a file, `-` for standard input, `live` for the one in force or `version:N` for an
earlier one. Beside the devices of --nodes, those are looked at that there might be: one with each
tag, one of each person. Networks count when they are routed or when a policy names them. Ends with
3 when the policies are too large to compare in full.")]
pub struct Args {
    /// The policy before
    old: Source,
    /// The policy after
    new: Source,
    /// Devices: what `meshctl node list --json` printed, or `live`
    #[arg(long, value_name = "FILE|live")]
    nodes: Option<Nodes>,
    /// Show everything, down to pairs of devices
    #[arg(long)]
    full: bool,
}

/// The difference in words and as a value.
#[derive(Serialize)]
struct Report {
    old: String,
    new: String,
    /// Whether somebody who is known today gains something.
    widens: bool,
    complete: bool,
    gained: Vec<Entry>,
    lost: Vec<Entry>,
    #[serde(skip)]
    full: bool,
}

#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    shift: Shift,
    /// Pairs of devices by name, with --full.
    #[serde(skip_serializing_if = "Option::is_none")]
    each: Option<Vec<(String, String)>>,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let is_live = args.old.is_live() || args.new.is_live();
    let (old, new) = (args.old.document(context).await?, args.new.document(context).await?);
    let roster = devices(context, args.nodes.as_ref(), is_live).await?;
    let found = old.difference(&new, &roster, &[]).map_err(|error| {
        Failure::unknown(error.to_string()).hint("compare with fewer devices: --nodes names a snapshot")
    })?;
    let complete = found.complete;
    let report = report(&args, found, &roster);
    let exit = if complete { Exit::Ok } else { Exit::Unknown };
    Ok(Answer::of(context, &report)?.exit(exit))
}

fn report(args: &Args, found: Difference, roster: &Roster) -> Report {
    let names = |shift: &Shift| {
        shift.each(roster).map(|(from, to)| (from.to_owned(), to.to_owned())).collect::<Vec<_>>()
    };
    let entries = |shifts: Vec<Shift>| {
        let entry = |shift: Shift| Entry { each: args.full.then(|| names(&shift)), shift };
        shifts.into_iter().map(entry).collect()
    };
    Report {
        old: args.old.name(),
        new: args.new.name(),
        widens: !found.is_narrowing(),
        complete: found.complete,
        gained: entries(found.gained),
        lost: entries(found.lost),
        full: args.full,
    }
}

impl Render for Report {
    fn render(&self, _: &Screen) -> String {
        let mut out = String::new();
        if self.gained.is_empty() && self.lost.is_empty() && self.complete {
            return format!("{} and {} open the same\n", self.old, self.new);
        }
        self.section("gained", '+', &self.gained, &self.new, &mut out);
        self.section("lost", '-', &self.lost, &self.old, &mut out);
        if !self.complete {
            out.push_str(
                "The policies differ in too much to look at all of it: there may be more of both.\n",
            );
        }
        let set =
            if self.widens { "asks for --accept-widening" } else { "takes it without --accept-widening" };
        out.push_str(&format!("`meshctl policy set` {set}.\n"));
        out
    }
}

impl Report {
    fn section(&self, title: &str, sign: char, entries: &[Entry], of: &str, out: &mut String) {
        if entries.is_empty() {
            out.push_str(&format!("Nothing is {title}.\n\n"));
            return;
        }
        let pairs: u64 = entries.iter().map(|entry| entry.shift.pairs).sum();
        out.push_str(&format!("{}: {} (lines of {of})\n", capital(title), pairs_text(pairs)));
        let most = if self.full { usize::MAX } else { MOST };
        let mut rule = "";
        for Entry { shift, each } in entries.iter().take(most) {
            if shift.rule != rule {
                out.push_str(&format!("\n  {}{}\n", line(shift), shift.rule));
                rule = &shift.rule;
            }
            let kind = match shift.kind {
                Kind::Network | Kind::Tag | Kind::Route => "",
                Kind::Login => "ssh ",
                Kind::App => "app ",
                Kind::Attribute => "attribute ",
            };
            let yet = if shift.foretold { ", nobody yet" } else { "" };
            let [from, to] = [&shift.from, &shift.to].map(|sides| Shift::names(sides));
            let count = match shift.kind {
                Kind::Attribute => devices_text(shift.from.iter().map(|side| side.devices).sum()),
                _ => pairs_text(shift.pairs),
            };
            out.push_str(&format!(
                "  {sign} {from} → {to}{}: {kind}{} ({count}{yet})\n",
                shift.whose.words(),
                shift.what
            ));
            for (from, to) in each.iter().flatten() {
                out.push_str(&format!("      {from} → {to}\n"));
            }
        }
        if entries.len() > most {
            out.push_str(&format!("\n  and {} more: --full shows them\n", entries.len() - most));
        }
        out.push('\n');
    }
}

fn line(shift: &Shift) -> String {
    shift.line.map(|line| format!("line {line}: ")).unwrap_or_default()
}

fn devices_text(devices: usize) -> String {
    match devices {
        0 => "no devices".to_owned(),
        1 => "1 device".to_owned(),
        _ => format!("{devices} devices"),
    }
}

fn pairs_text(pairs: u64) -> String {
    match pairs {
        0 => "no devices".to_owned(),
        1 => "1 pair of devices".to_owned(),
        _ => format!("{pairs} pairs of devices"),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
