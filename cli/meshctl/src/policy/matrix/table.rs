//! The matrix for a terminal: numbered rows, the same numbers across; as many blocks as the width asks for.

use std::collections::BTreeMap;

use policy::{Cell, Matrix};

/// Most characters of a name, and of what is open.
const NAME: usize = 32;
const OPEN: usize = 12;

pub fn render(matrix: &Matrix, width: usize) -> String {
    let sources: Vec<usize> = numbers(matrix, |row| row.asks);
    let destinations: Vec<usize> = numbers(matrix, |row| row.answers);
    if sources.is_empty() {
        return "nothing reaches anything\n".to_owned();
    }
    let cells: BTreeMap<(usize, usize), &Cell> =
        matrix.cells.iter().map(|cell| ((cell.from, cell.to), cell)).collect();
    let shown = numbers(matrix, |row| row.asks || row.answers);
    let number = |row: usize| shown.partition_point(|known| *known < row) + 1;
    let labels: Vec<String> =
        matrix.rows.iter().enumerate().map(|(at, row)| label(number(at), &row.side)).collect();
    let widest =
        |rows: &[usize]| rows.iter().filter_map(|row| labels.get(*row)).map(|l| l.chars().count()).max();
    let margin = widest(&sources).unwrap_or(0);
    let mut out = String::new();
    let columns: Vec<Column> =
        destinations.iter().map(|to| column((*to, number(*to)), &sources, &cells)).collect();
    for block in blocks(&columns, width.saturating_sub(margin)) {
        if !out.is_empty() {
            out.push('\n');
        }
        let heads: String =
            block.iter().map(|column| format!("  {:>w$}", column.number, w = column.width)).collect();
        out.push_str(format!("{:margin$}{heads}", "").trim_end());
        out.push('\n');
        for (at, from) in sources.iter().enumerate() {
            let open: String =
                block.iter().map(|column| format!("  {:>w$}", column.open[at], w = column.width)).collect();
            out.push_str(format!("{:margin$}{open}", labels[*from]).trim_end());
            out.push('\n');
        }
    }
    let only: Vec<_> = destinations.iter().filter(|row| !sources.contains(row)).collect();
    if !only.is_empty() {
        out.push_str("\nThese are destinations only:\n");
        only.iter().for_each(|row| out.push_str(&format!("{}\n", labels[**row])));
    }
    out.push_str(&legend(matrix));
    out
}

fn numbers(matrix: &Matrix, wanted: impl Fn(&policy::Row) -> bool) -> Vec<usize> {
    matrix.rows.iter().enumerate().filter(|(_, row)| wanted(row)).map(|(at, _)| at).collect()
}

fn label(number: usize, side: &policy::Side) -> String {
    let devices = if side.devices == 0 { String::new() } else { format!(" ({})", side.devices) };
    let room = NAME.saturating_sub(devices.chars().count());
    format!("{number:>3} {}{devices}", cut(&side.name, room))
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

struct Column {
    number: usize,
    width: usize,
    open: Vec<String>,
}

fn column(
    (to, number): (usize, usize),
    sources: &[usize],
    cells: &BTreeMap<(usize, usize), &Cell>,
) -> Column {
    let open: Vec<String> = sources.iter().map(|from| short(cells.get(&(*from, to)).copied())).collect();
    let widest = open.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    Column { number, width: widest.max(number.to_string().len()), open }
}

fn short(cell: Option<&Cell>) -> String {
    let Some(cell) = cell else { return "·".to_owned() };
    let mut text = cut(&cell.ports, OPEN);
    if !cell.logins.is_empty() {
        text.push('s');
    }
    if !cell.apps.is_empty() {
        text.push('a');
    }
    text
}

/// Columns that fit beside the names; at least one a block.
fn blocks(columns: &[Column], width: usize) -> Vec<&[Column]> {
    let mut blocks = Vec::new();
    let mut rest = columns;
    while !rest.is_empty() {
        let mut used = 0;
        let fitting = rest.iter().take_while(|column| {
            used += column.width + 2;
            used <= width
        });
        let count = fitting.count().max(1);
        let (block, more) = rest.split_at(count);
        blocks.push(block);
        rest = more;
    }
    blocks
}

fn legend(matrix: &Matrix) -> String {
    let mut notes = vec!["· nothing", "* everything"];
    if matrix.cells.iter().any(|cell| !cell.logins.is_empty()) {
        notes.push("s logins by SSH");
    }
    if matrix.cells.iter().any(|cell| !cell.apps.is_empty()) {
        notes.push("a capabilities in applications");
    }
    if matrix.cells.iter().any(|cell| cell.ports.chars().count() > OPEN) {
        notes.push("… more: --format csv shows all");
    }
    format!("\n{}\n", notes.join(", "))
}

#[cfg(test)]
mod tests {
    use policy::{Row, Side};

    use super::*;

    fn matrix(count: usize) -> Matrix {
        let row = |at| Row {
            side: Side { name: format!("tag:kind-{at}"), devices: at },
            asks: true,
            answers: true,
        };
        let cell = |from| Cell {
            from,
            to: count - 1 - from,
            ports: "22,80,443,8080,9090".to_owned(),
            all: false,
            logins: Vec::new(),
            apps: Vec::new(),
            lines: vec![3],
        };
        Matrix { rows: (0..count).map(row).collect(), cells: (0..count).map(cell).collect() }
    }

    #[test]
    fn it_fits_every_width() {
        for (count, width) in [(1, 40), (5, 60), (40, 80), (40, 200)] {
            let text = render(&matrix(count), width);
            assert!(text.lines().all(|line| line.chars().count() <= width.max(60)), "{width}\n{text}");
            assert_eq!(text.matches("22,80,443,8…").count(), count, "{text}");
        }
    }

    #[test]
    fn nothing_is_said_in_words() {
        assert_eq!(render(&Matrix { rows: Vec::new(), cells: Vec::new() }, 80), "nothing reaches anything\n");
    }
}
