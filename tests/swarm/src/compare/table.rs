//! What came of a round, for people and for programs.

use std::{fmt::Write as _, io::Write as _};

use anyhow::Result;
use serde::Serialize;

use super::Column;

/// Figures of several servers under the same load.
#[derive(Debug, Serialize)]
pub struct Table {
    pub title: String,
    /// The first is ours.
    pub columns: Vec<Column>,
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

    /// A table that is also Markdown: a ratio above 1 is in our favour. Of the floor's figure ours is so many per cent.
    pub fn text(&self) -> String {
        let mut head = vec![self.title.clone()];
        for column in &self.columns {
            head.push(column.name().to_owned());
            head.extend(column.beside().map(str::to_owned));
        }
        let mut lines = vec![head];
        for figure in &self.figures {
            let ours = figure.values.first().copied().flatten();
            let mut line = vec![figure.name.clone()];
            for (column, value) in self.columns.iter().zip(&figure.values) {
                line.push(value.map_or("DNF".to_owned(), |v| figure.unit.text(v)));
                match column {
                    Column::Ours => {}
                    Column::Floor => line.push(per_cent(ours, *value)),
                    Column::Headscale | Column::HeadscaleTuned | Column::Derper => {
                        line.push(figure.better.ratio(ours, *value));
                    }
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

fn per_cent(ours: Option<f64>, floor: Option<f64>) -> String {
    match (ours, floor) {
        (Some(ours), Some(floor)) if floor > 0.0 => format!("{:.0} %", ours / floor * 100.0),
        _ => String::new(),
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
        let columns = vec![Column::Ours, Column::Headscale, Column::Floor];
        Table { title: "mesh, 7".into(), columns, figures: vec![figure] }
    }

    #[test]
    fn who_did_not_finish_has_no_ratio() {
        assert_eq!(
            table(vec![Some(2.0), Some(5.0), None], Better::Less).text(),
            "| mesh, 7 | meshctl | headscale | ratio | floor | of the floor |\n\
             |---------|---------|-----------|-------|-------|--------------|\n\
             | CPU     | 2.0 ms  | 5.0 ms    | 2.5 x | DNF   |              |\n"
        );
    }

    #[test]
    fn ours_is_so_much_of_the_floor() {
        for (better, values, share) in [
            (Better::More, [3.0, 4.0], "75 %"),
            (Better::Less, [3.0, 2.0], "150 %"),
            (Better::None, [0.0; 2], ""),
        ] {
            let table = table(vec![Some(values[0]), None, Some(values[1])], better).text();
            let last = table.lines().last().unwrap().split('|').nth(6).unwrap();
            assert_eq!(last.trim(), share, "{table}");
        }
    }

    #[test]
    fn ours_must_finish_and_be_right() {
        assert!(table(vec![Some(2.0), None], Better::More).ours_is_right());
        assert!(!table(vec![None, Some(2.0)], Better::More).ours_is_right());
        assert!(table(vec![Some(0.0), Some(2.0)], Better::None).ours_is_right());
        assert!(!table(vec![Some(1.0), Some(0.0)], Better::None).ours_is_right());
    }
}
