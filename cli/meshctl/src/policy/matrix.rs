//! `meshctl policy matrix`.

mod dot;
mod picture;
mod table;

use clap::ValueEnum;
use policy::Matrix;
use serde::Serialize;

use super::ask::{Nodes, Source, devices};
use crate::talk::{Answer, Context, Failure, Render, Screen};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl policy matrix
  meshctl policy matrix --policy new.hujson --nodes nodes.json
  meshctl policy matrix --format svg > access.svg
  meshctl policy matrix --format dot | dot -Tpng > access.png
  meshctl policy matrix --format csv > access.csv

Whoever no rule tells apart shares a row. Beside the devices that are there, one with each tag and
one of each person that the policy names has its place.")]
pub struct Args {
    /// How to show it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The policy instead of the one in force: a file, `-`, or `version:N`
    #[arg(long, value_name = "FILE", default_value = "live")]
    policy: Source,
    /// Devices: what `meshctl node list --json` printed, or `live`
    #[arg(long, value_name = "FILE|live")]
    nodes: Option<Nodes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Sources down, destinations across
    Table,
    /// A line for each pair
    Csv,
    /// A graph for Graphviz
    Dot,
    /// A picture
    Svg,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    matrix: Matrix,
    #[serde(skip)]
    format: Format,
    #[serde(skip)]
    name: String,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let document = args.policy.document(context).await?;
    let roster = devices(context, args.nodes.as_ref(), args.policy.is_live()).await?;
    let matrix = document.matrix(&roster).map_err(|error| {
        Failure::unknown(error.to_string()).hint("`meshctl policy explain SRC DST` answers for two of them")
    })?;
    Answer::of(context, &Shown { matrix, format: args.format, name: args.policy.name() })
}

impl Render for Shown {
    fn render(&self, screen: &Screen) -> String {
        match self.format {
            Format::Table => table::render(&self.matrix, screen.width.unwrap_or(usize::MAX)),
            Format::Csv => csv(&self.matrix),
            Format::Dot => dot::render(&self.matrix),
            Format::Svg => picture::render(&self.matrix, &self.name),
        }
    }
}

/// What is open, in a few words: ports, then logins and capabilities.
fn words(cell: &policy::Cell) -> Vec<String> {
    let mut words: Vec<String> =
        Some(cell.ports.clone()).filter(|ports| !ports.is_empty()).into_iter().collect();
    if !cell.logins.is_empty() {
        words.push(format!("ssh as {}", cell.logins.join(", ")));
    }
    words.extend(cell.apps.iter().map(|app| format!("app {app}")));
    words
}

fn csv(matrix: &Matrix) -> String {
    let mut out = String::from("from,to,ports,logins,apps,lines\n");
    let name = |row: usize| matrix.rows.get(row).map(|row| row.side.name.as_str()).unwrap_or_default();
    for cell in &matrix.cells {
        let lines: Vec<_> = cell.lines.iter().map(ToString::to_string).collect();
        let values = [
            name(cell.from),
            name(cell.to),
            &cell.ports,
            &cell.logins.join(" "),
            &cell.apps.join(" "),
            &lines.join(" "),
        ];
        out.push_str(&values.map(quoted).join(","));
        out.push('\n');
    }
    out
}

/// A value of CSV. One that a spreadsheet would take for a formula is told to be text.
fn quoted(value: &str) -> String {
    let formula = value.starts_with(['=', '+', '-', '@']);
    let value = if formula { format!("'{value}") } else { value.to_owned() };
    if value.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", value.replace('"', "\"\"")) } else { value }
}

#[cfg(test)]
mod tests {
    use policy::{Document, Roster};

    use super::*;

    fn matrix(text: &str) -> Matrix {
        Document::parse(text).unwrap().matrix(&Roster::default()).unwrap()
    }

    fn screen(width: Option<usize>) -> Screen {
        Screen { width, now: jiff::Timestamp::UNIX_EPOCH, json: false }
    }

    const POLICY: &str = r#"{
        "tagOwners": {"tag:web": [], "tag:db": []},
        "acls": [
            {"action": "accept", "src": ["tag:web"], "dst": ["tag:db:5432"]},
            {"action": "accept", "src": ["alice@"], "dst": ["*:*"]},
        ],
    }"#;

    #[test]
    fn every_form_tells_the_same() {
        let show = |format| {
            let shown = Shown { matrix: matrix(POLICY), format, name: "p".to_owned() };
            shown.render(&screen(Some(80)))
        };
        let csv = show(Format::Csv);
        assert!(csv.contains("tag:web,tag:db,5432,,,4\n"), "{csv}");
        assert!(csv.contains("alice@,autogroup:internet,*,,,5\n"), "{csv}");
        let table = show(Format::Table);
        assert!(table.contains("5432") && table.lines().all(|line| line.chars().count() <= 80), "{table}");
        let dot = show(Format::Dot);
        assert!(dot.starts_with("digraph") && dot.contains("label=\"5432\""), "{dot}");
        let svg = show(Format::Svg);
        assert!(
            svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && svg.contains("5432"),
            "{svg}"
        );
    }

    #[test]
    fn a_value_is_one_value() {
        assert_eq!(quoted("22,80"), "\"22,80\"");
        assert_eq!(quoted("say \"x\""), "\"say \"\"x\"\"\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
    }
}
