//! What came of a round, for people and for programs.

use std::{fmt::Write as _, io::Write as _};

use anyhow::Result;
use serde::Serialize;

/// Figures of several servers under the same load.
#[derive(Debug, Serialize)]
pub struct Table {
    pub title: String,
    /// The first is ours.
    pub columns: Vec<&'static str>,
    pub figures: Vec<Figure>,
}

/// One line.
#[derive(Debug, Serialize)]
pub struct Figure {
    pub name: String,
    pub unit: Unit,
    pub better: Better,
    /// One for each column; null is DNF: it did not finish.
    pub values: Vec<Option<f64>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Unit {
    Seconds,
    Milliseconds,
    Bytes,
    PerSecond,
    Count,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Better {
    Less,
    More,
    /// Must be none: wrong answers.
    None,
}

impl Table {
    /// Whether our own server finished, and did nothing wrong.
    pub fn ours_is_right(&self) -> bool {
        let ours = |figure: &Figure| figure.values.first().copied().flatten();
        self.figures.iter().all(|f| match f.better {
            Better::None => ours(f) == Some(0.0),
            Better::Less | Better::More => ours(f).is_some(),
        })
    }

    /// A table that is also Markdown: a ratio above 1 is in our favour.
    pub fn text(&self) -> String {
        let mut head = vec![self.title.clone()];
        for (n, column) in self.columns.iter().enumerate() {
            head.push((*column).to_owned());
            if n > 0 {
                head.push("ratio".to_owned());
            }
        }
        let mut lines = vec![head];
        for figure in &self.figures {
            let ours = figure.values.first().copied().flatten();
            let mut line = vec![figure.name.clone()];
            for (n, value) in figure.values.iter().enumerate() {
                line.push(value.map_or("DNF".to_owned(), |v| figure.unit.text(v)));
                if n > 0 {
                    line.push(figure.better.ratio(ours, *value));
                }
            }
            lines.push(line);
        }
        let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
        let width = |c: usize| lines.iter().filter_map(|l| l.get(c)).map(|cell| cell.chars().count()).max();
        let widths: Vec<_> = (0..columns).map(|c| width(c).unwrap_or_default()).collect();
        let mut out = String::new();
        for (n, line) in lines.iter().enumerate() {
            for (cell, width) in line.iter().zip(&widths) {
                let _ = write!(out, "| {cell:<width$} ");
            }
            out.push_str("|\n");
            if n == 0 {
                widths.iter().for_each(|width| {
                    let _ = write!(out, "|{:-<1$}", "", width + 2);
                });
                out.push_str("|\n");
            }
        }
        out
    }
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Self::Seconds => format!("{value:.2} s"),
            Self::Milliseconds => format!("{value:.1} ms"),
            Self::Bytes if value >= f64::from(1 << 20) => format!("{:.1} MiB", value / f64::from(1 << 20)),
            Self::Bytes => format!("{value:.0} B"),
            Self::PerSecond | Self::Count => format!("{value:.0}"),
        }
    }
}

impl Better {
    fn ratio(self, ours: Option<f64>, theirs: Option<f64>) -> String {
        let ratio = match (self, ours, theirs) {
            (Self::Less, Some(ours), Some(theirs)) if ours > 0.0 => theirs / ours,
            (Self::More, Some(ours), Some(theirs)) if theirs > 0.0 => ours / theirs,
            _ => return String::new(),
        };
        if ratio >= 10.0 { format!("{ratio:.0} x") } else { format!("{ratio:.1} x") }
    }
}

/// Prints a table as soon as it is there.
pub fn print(table: &Table, json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, table)?;
    } else {
        write!(out, "{}", table.text())?;
    }
    writeln!(out)?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(values: Vec<Option<f64>>, better: Better) -> Table {
        let figure = Figure { name: "CPU".into(), unit: Unit::Milliseconds, better, values };
        Table { title: "mesh, 7".into(), columns: vec!["ours", "theirs", "others"], figures: vec![figure] }
    }

    #[test]
    fn who_did_not_finish_has_no_ratio() {
        assert_eq!(
            table(vec![Some(2.0), Some(5.0), None], Better::Less).text(),
            "| mesh, 7 | ours   | theirs | ratio | others | ratio |\n\
             |---------|--------|--------|-------|--------|-------|\n\
             | CPU     | 2.0 ms | 5.0 ms | 2.5 x | DNF    |       |\n"
        );
    }

    #[test]
    fn ours_must_finish_and_be_right() {
        assert!(table(vec![Some(2.0), None], Better::More).ours_is_right());
        assert!(!table(vec![None, Some(2.0)], Better::More).ours_is_right());
        assert!(table(vec![Some(0.0), Some(2.0)], Better::None).ours_is_right());
        assert!(!table(vec![Some(1.0), Some(0.0)], Better::None).ours_is_right());
    }
}
