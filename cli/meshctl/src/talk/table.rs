//! Tables and lists of fields that fit the terminal.

use std::fmt::Display;

use tabled::{
    builder::Builder,
    settings::{Padding, Style, Width, peaker::PriorityMax},
};

use super::Screen;

/// Rows under headings.
pub struct Table {
    none: &'static str,
    builder: Builder,
    rows: usize,
}

impl Table {
    /// With these headings; `none` is said when there are no rows.
    pub fn new<const N: usize>(headings: [&str; N], none: &'static str) -> Self {
        let mut builder = Builder::default();
        builder.push_record(headings);
        Self { none, builder, rows: 0 }
    }
    /// One more row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.builder.push_record(cells.map(|c| one_line(&c)));
        self.rows += 1;
    }
    /// The text; the widest columns are cut until it fits.
    pub fn render(self, screen: &Screen) -> String {
        if self.rows == 0 {
            return format!("{}\n", self.none);
        }
        fit(self.builder, screen)
    }
}

/// Names and values, one pair a line.
#[derive(Default)]
pub struct Fields(Builder);

impl Fields {
    /// One more pair; an empty value is a dash.
    pub fn add(mut self, name: &str, value: impl Display) -> Self {
        self.0.push_record([name.to_owned(), dash(one_line(&value.to_string()))]);
        self
    }
    /// The same, when there is something to say.
    pub fn add_if(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.add(name, value),
            None => self,
        }
    }
    /// The text.
    pub fn render(self, screen: &Screen) -> String {
        fit(self.0, screen)
    }
}

/// Several values in one cell; a dash for none.
pub fn join<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<_> = values.into_iter().map(|v| v.to_string()).collect();
    dash(texts.join(", "))
}

/// Who did something, short enough for a cell: of a machine's key the beginning.
pub fn actor(text: &str) -> String {
    const MOST: usize = 8;
    let Some((kind, key)) = text.split_once("mkey:") else { return text.to_owned() };
    match key.char_indices().nth(MOST) {
        Some((end, _)) => format!("{kind}mkey:{}…", &key[..end]),
        None => text.to_owned(),
    }
}

fn dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r', '\t'], " ")
}

fn fit(builder: Builder, screen: &Screen) -> String {
    let mut table = builder.build();
    table.with(Style::empty()).with(Padding::new(0, 2, 0, 0));
    if let Some(width) = screen.width {
        table.with(Width::truncate(width).suffix("…").priority(PriorityMax::right()));
    }
    table.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["ID", "NAME"], "nothing");
        table.row(["1".into(), "a-rather-long-name-of-a-device".into()]);
        table.row(["20".into(), "web\nx".into()]);
        table
    }
    fn screen(width: Option<usize>) -> Screen {
        Screen { width, now: jiff::Timestamp::UNIX_EPOCH, json: false }
    }

    #[test]
    fn nothing_is_cut_where_there_is_no_terminal() {
        let text = table().render(&screen(None));
        assert_eq!(text, "ID  NAME\n1   a-rather-long-name-of-a-device\n20  web x\n");
    }

    #[test]
    fn the_widest_column_gives_way() {
        let text = table().render(&screen(Some(20)));
        assert!(text.lines().all(|l| l.chars().count() <= 20), "{text}");
        assert!(text.contains("1   a-rather-") && text.contains('…'), "{text}");
    }

    #[test]
    fn a_machine_is_named_by_the_beginning_of_its_key() {
        let key = format!("machine:mkey:{}", "0123456789abcdef".repeat(4));
        assert_eq!(actor(&key), "machine:mkey:01234567…");
        for short in ["socket:uid=0", "node:5", "machine:mkey:0123", "system"] {
            assert_eq!(actor(short), short);
        }
    }

    #[test]
    fn no_rows_are_said_in_words() {
        assert_eq!(Table::new(["ID"], "no keys").render(&screen(None)), "no keys\n");
    }
}
