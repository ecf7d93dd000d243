//! The paths between members, and a picture of them.

use std::fmt::Write;

use serde::Serialize;

use super::report::{Report, State, escaped};
use crate::bench::{Bench, MEMBERS};
use crate::tailscaled::Pong;

/// How two members reach each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Path {
    pub from: &'static str,
    pub to: &'static str,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Direct,
    Relayed,
    /// No answer.
    None,
}

/// Where each host stands in the picture.
const PLACES: [(&str, i32, i32, &str); 8] = [
    ("srv", 400, 60, "control server, relay"),
    ("r1", 200, 160, "NAT"),
    ("r2", 600, 160, "NAT"),
    ("outsider", 80, 280, "not in the mesh"),
    ("a", 240, 280, "192.168.1.11"),
    ("b", 480, 280, "10.0.0.12"),
    ("c", 620, 280, "10.0.0.13, no UDP"),
    ("spare", 740, 280, "10.0.0.14"),
];
const WIRES: [(&str, &str); 7] = [
    ("srv", "r1"),
    ("srv", "r2"),
    ("r1", "outsider"),
    ("r1", "a"),
    ("r2", "b"),
    ("r2", "c"),
    ("r2", "spare"),
];

/// The path of each pair of members, as the first of the two sees it.
pub(super) fn paths(bench: &Bench<'_>) -> Vec<Path> {
    let pairs =
        MEMBERS.iter().enumerate().flat_map(|(n, from)| MEMBERS[n + 1..].iter().map(move |to| (*from, *to)));
    pairs
        .map(|(from, to)| {
            let pong = bench.member(from).and_then(|client| client.ping(to, false));
            let kind = match pong {
                Ok(Pong::Direct(_)) => Kind::Direct,
                Ok(Pong::Relayed(_)) => Kind::Relayed,
                Err(_) => Kind::None,
            };
            Path { from, to, kind }
        })
        .collect()
}

/// The topology with the paths of a run, as SVG.
pub fn picture(report: &Report) -> String {
    let mut svg =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 820 430\" font-family=\"sans-serif\" \
        font-size=\"13\" text-anchor=\"middle\">\n<rect width=\"820\" height=\"430\" fill=\"white\"/>\n"
            .to_owned();
    for (one, other) in WIRES {
        let ((x, y), (u, v)) = (place(one), place(other));
        let _ = writeln!(svg, r##"<line x1="{x}" y1="{y}" x2="{u}" y2="{v}" stroke="#999"/>"##);
    }
    for path in &report.paths {
        svg.push_str(&arc(path));
    }
    for (name, x, y, note) in PLACES {
        let fill = if MEMBERS.contains(&name) { "#cfe8ff" } else { "#eee" };
        let _ = writeln!(
            svg,
            r##"<rect x="{}" y="{}" width="76" height="30" rx="5" fill="{fill}" stroke="#333"/><text x="{x}" y="{}">{name}</text><text x="{x}" y="{}" font-size="10" fill="#555">{note}</text>"##,
            x - 38,
            y - 15,
            y + 5,
            y + 28
        );
    }
    let good = report.stories.iter().filter(|story| story.state == State::Passed).count();
    let title = format!("lab {}: {good} of {} stories passed", report.lab, report.stories.len());
    let _ = writeln!(svg, r#"<text x="410" y="24" font-size="15">{}</text>"#, escaped(&title));
    svg.push_str("<text x=\"410\" y=\"418\" fill=\"#555\">green: direct; orange, dashed: relayed; red: no answer</text>\n</svg>\n");
    svg
}

fn arc(path: &Path) -> String {
    let ((x, y), (u, v)) = (place(path.from), place(path.to));
    let (colour, dashes, word) = match path.kind {
        Kind::Direct => ("#2a8f3c", "none", "direct"),
        Kind::Relayed => ("#d9822b", "6 4", "relayed"),
        Kind::None => ("#c0392b", "2 3", "no answer"),
    };
    let (middle, depth) = ((x + u) / 2, 310 + (x - u).abs() / 3);
    format!(
        "<path d=\"M{x} {y} Q{middle} {depth} {u} {v}\" transform=\"translate(0 15)\" fill=\"none\" stroke=\"{colour}\" \
         stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>\n<text x=\"{middle}\" y=\"{}\" fill=\"{colour}\">{word}</text>\n",
        (y + depth) / 2 + 26
    )
}

fn place(name: &str) -> (i32, i32) {
    PLACES.iter().find(|(place, ..)| *place == name).map_or((0, 0), |(_, x, y, _)| (*x, *y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ACCEPTANCE;

    #[test]
    fn every_host_but_the_switches_is_in_the_picture() {
        let drawn: Vec<&str> = PLACES.iter().map(|(name, ..)| *name).collect();
        let absent: Vec<_> = ACCEPTANCE.names().into_iter().filter(|name| !drawn.contains(name)).collect();
        assert_eq!(absent, ["switches"]);
    }

    #[test]
    fn paths_are_drawn_as_what_they_are() {
        let path = |kind| Path { from: "a", to: "b", kind };
        assert!(arc(&path(Kind::Direct)).contains(">direct<"));
        assert!(arc(&path(Kind::Relayed)).contains("stroke-dasharray=\"6 4\""));
        assert!(arc(&path(Kind::None)).contains(">no answer<"));
    }
}
