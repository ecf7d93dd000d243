//! Figures for people: a table that is also Markdown.

pub mod fit;
pub mod histogram;

use std::fmt::Write;

use serde::Serialize;

/// One line of the table.
pub struct Row {
    pub figure: String,
    pub measured: String,
    /// Empty when nothing was promised.
    pub aim: String,
}

/// What a run found out.
pub trait Report: Serialize {
    fn rows(&self) -> Vec<Row>;
    /// Whether every client was told the truth, and nothing failed.
    fn is_right(&self) -> bool;
}

/// A line of the table.
pub fn row(figure: impl Into<String>, measured: impl Into<String>, aim: impl Into<String>) -> Row {
    Row { figure: figure.into(), measured: measured.into(), aim: aim.into() }
}

/// The lines under their heads, columns aligned.
pub fn table(rows: &[Row]) -> String {
    let head = row("figure", "measured", "aim");
    let all = || std::iter::once(&head).chain(rows);
    let width =
        |column: fn(&Row) -> &String| all().map(|r| column(r).chars().count()).max().unwrap_or_default();
    let (a, b, c) = (width(|r| &r.figure), width(|r| &r.measured), width(|r| &r.aim));
    let mut out = String::new();
    for (n, r) in all().enumerate() {
        let _ = writeln!(out, "| {:<a$} | {:<b$} | {:<c$} |", r.figure, r.measured, r.aim);
        if n == 0 {
            let _ = writeln!(out, "|{:-<1$}|{2:-<3$}|{4:-<5$}|", "", a + 2, "", b + 2, "", c + 2);
        }
    }
    out
}

/// Bytes in MiB, for people.
pub fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// The middle one; of none, zero.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let text = table(&[row("a", "1 ms", ""), row("long name", "2", "3 ms")]);
        assert_eq!(
            text,
            "| figure    | measured | aim  |\n\
             |-----------|----------|------|\n\
             | a         | 1 ms     |      |\n\
             | long name | 2        | 3 ms |\n"
        );
    }
}
