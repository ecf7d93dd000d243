//! The matrix as a picture: SVG without script or font files, in light and dark.

use std::collections::BTreeMap;

use policy::{Cell, Matrix};

use super::words;

/// Sizes in pixels.
const CELL: usize = 42;
const LETTER: usize = 7;
const EDGE: usize = 24;
const TITLE: usize = 56;
/// Between people, tags, networks and the rest.
const GAP: usize = 10;
/// From so many on the names stand on both ends of rows and columns.
const FAR: usize = 20;
/// Longest name and longest text of a cell, in characters.
const NAME: usize = 34;
const OPEN: usize = 6;

const FONT: &str = "font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\" font-size=\"12\"";
const INK: &str = "class=\"ink\" fill=\"#1f2933\"";
const SOFT: &str = "class=\"soft\" fill=\"#6b7a89\"";

/// Class, colour and meaning of a square. Light colours are attributes, which every program that shows SVG knows.
const KINDS: [(&str, &str, &str); 4] = [
    ("all", "#c8453c", "everything"),
    ("some", "#9fdcc3", "some ports"),
    ("apps", "#b9d4f5", "logins or applications only"),
    ("none", "#f1f4f7", "nothing"),
];
const DARK: &str = "
  .cell:hover rect { stroke: #6b7a89; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    .ink { fill: #e4e9ee; }
    .soft { fill: #93a1ae; }
    .paper { fill: #14191f; }
    .none { fill: #1e252d; }
    .some { fill: #2f7d62; }
    .apps { fill: #2f5f9a; }
    .some + .open, .apps + .open { fill: #e8fff6; }
  }
";

/// Where things are.
struct Plan<'a> {
    matrix: &'a Matrix,
    sources: Vec<usize>,
    destinations: Vec<usize>,
    /// Where each source and each destination begins, and where the last one ends.
    down: Vec<usize>,
    across: Vec<usize>,
}

pub fn render(matrix: &Matrix, name: &str) -> String {
    let plan = Plan::of(matrix);
    let slant = plan.longest(&plan.destinations) * LETTER * 2 / 3;
    let again = |is_far: bool, names: &[usize]| if is_far { plan.longest(names) * LETTER } else { 0 };
    let beside = again(plan.is_wide(), &plan.sources).max(slant);
    let below = again(plan.is_tall(), &plan.destinations) * 5 / 6;
    let width = (plan.right() + beside + EDGE).max(560);
    let height = plan.bottom() + below + EDGE + 40;
    let name = escaped(name);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" {FONT}>\n\
         <title>Who reaches what: {name}</title>\n<style>{DARK}</style>\n\
         <rect class=\"paper\" fill=\"#ffffff\" width=\"{width}\" height=\"{height}\" rx=\"10\"/>\n\
         <text {INK} font-size=\"17\" font-weight=\"600\" x=\"{EDGE}\" y=\"34\">Who reaches what</text>\n\
         <text {SOFT} x=\"{EDGE}\" y=\"52\">{name}: sources down, destinations across</text>\n"
    );
    plan.names(&mut out);
    plan.squares(&mut out);
    legend(height - EDGE, &mut out);
    out.push_str("</svg>\n");
    out
}

impl<'a> Plan<'a> {
    fn of(matrix: &'a Matrix) -> Self {
        let rows = |wanted: fn(&policy::Row) -> bool| {
            let shown = matrix.rows.iter().enumerate().filter(|(_, row)| wanted(row));
            shown.map(|(at, _)| at).collect::<Vec<_>>()
        };
        let (sources, destinations) = (rows(|row| row.asks), rows(|row| row.answers));
        let mut plan = Self { matrix, sources, destinations, down: Vec::new(), across: Vec::new() };
        let left = EDGE + (plan.longest(&plan.sources) + 6) * LETTER;
        let top = TITLE + EDGE + plan.longest(&plan.destinations) * LETTER * 5 / 6;
        plan.down = plan.starts(&plan.sources, top);
        plan.across = plan.starts(&plan.destinations, left);
        plan
    }

    /// One after the other, those of a family together.
    fn starts(&self, rows: &[usize], first: usize) -> Vec<usize> {
        let (mut at, mut starts, mut before) = (first, Vec::new(), None);
        for row in rows {
            let family = family(self.name(*row));
            if before.is_some_and(|before| before != family) {
                at += GAP;
            }
            starts.push(at);
            at += CELL;
            before = Some(family);
        }
        starts.push(at);
        starts
    }

    fn left(&self) -> usize {
        self.across.first().copied().unwrap_or_default()
    }

    fn right(&self) -> usize {
        self.across.last().copied().unwrap_or_default()
    }

    fn top(&self) -> usize {
        self.down.first().copied().unwrap_or_default()
    }

    fn bottom(&self) -> usize {
        self.down.last().copied().unwrap_or_default()
    }

    fn is_wide(&self) -> bool {
        self.destinations.len() >= FAR
    }

    fn is_tall(&self) -> bool {
        self.sources.len() >= FAR
    }

    fn name(&self, row: usize) -> &str {
        self.matrix.rows.get(row).map(|row| row.side.name.as_str()).unwrap_or_default()
    }

    fn longest(&self, rows: &[usize]) -> usize {
        rows.iter().map(|row| self.name(*row).chars().count().min(NAME)).max().unwrap_or(0)
    }

    fn names(&self, out: &mut String) {
        for (row, start) in self.destinations.iter().zip(&self.across) {
            let name = escaped(&cut(self.name(*row), NAME));
            let mut put = |x: usize, y: usize, angle: i32| {
                out.push_str(&format!(
                    "<text {INK} x=\"{x}\" y=\"{y}\" transform=\"rotate({angle} {x} {y})\">{name}</text>\n"
                ));
            };
            put(start + CELL / 2, self.top() - 8, -50);
            if self.is_tall() {
                put(start + CELL / 2 - 6, self.bottom() + 14, 50);
            }
        }
        for (row, start) in self.sources.iter().zip(&self.down) {
            let (x, y) = (self.left() - 10, start + CELL / 2 + 4);
            let name = escaped(&cut(self.name(*row), NAME));
            let count = match self.matrix.rows.get(*row).map_or(0, |row| row.side.devices) {
                0 => String::new(),
                devices => format!(" <tspan {SOFT}>{devices}</tspan>"),
            };
            out.push_str(&format!(
                "<text {INK} x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{name}{count}</text>\n"
            ));
            if self.is_wide() {
                let x = self.right() + 10;
                out.push_str(&format!("<text {INK} x=\"{x}\" y=\"{y}\">{name}</text>\n"));
            }
        }
    }

    fn squares(&self, out: &mut String) {
        let cells: BTreeMap<_, _> =
            self.matrix.cells.iter().map(|cell| ((cell.from, cell.to), cell)).collect();
        for (from, y) in self.sources.iter().zip(&self.down) {
            for (to, x) in self.destinations.iter().zip(&self.across) {
                out.push_str(&self.square((*from, *to), cells.get(&(*from, *to)).copied(), *x, *y));
            }
        }
    }

    fn square(&self, (from, to): (usize, usize), cell: Option<&Cell>, x: usize, y: usize) -> String {
        let kind = match cell {
            None => "none",
            Some(cell) if cell.all => "all",
            Some(cell) if cell.ports.is_empty() => "apps",
            Some(_) => "some",
        };
        let fill = KINDS.iter().find(|(known, _, _)| *known == kind).map_or("", |(_, fill, _)| *fill);
        let tip = escaped(&self.tip(from, to, cell));
        let text = cell.map(|cell| text(cell, x + CELL / 2, y + CELL / 2 + 4)).unwrap_or_default();
        let (x, y, size) = (x + 1, y + 1, CELL - 2);
        format!(
            "<g class=\"cell\"><title>{tip}</title><rect class=\"{kind}\" fill=\"{fill}\" x=\"{x}\" y=\"{y}\" \
             width=\"{size}\" height=\"{size}\" rx=\"5\"/>{text}</g>\n"
        )
    }

    fn tip(&self, from: usize, to: usize, cell: Option<&Cell>) -> String {
        let between = format!("{} → {}", self.name(from), self.name(to));
        let Some(cell) = cell else { return format!("{between}: nothing") };
        let lines: Vec<_> = cell.lines.iter().map(ToString::to_string).collect();
        format!("{between}: {} (line {})", words(cell).join("; "), lines.join(", "))
    }
}

fn text(cell: &Cell, x: usize, y: usize) -> String {
    let ink = if cell.all { "fill=\"#ffffff\" font-weight=\"600\"" } else { "fill=\"#0b3b2e\"" };
    let shown = match (cell.ports.is_empty(), cell.logins.is_empty()) {
        (false, _) => few(&cell.ports),
        (true, false) => "ssh".to_owned(),
        (true, true) => "app".to_owned(),
    };
    let shown = escaped(&shown);
    format!(
        "<text class=\"open\" {ink} font-size=\"10.5\" text-anchor=\"middle\" x=\"{x}\" y=\"{y}\">{shown}</text>"
    )
}

/// Ports that fit into a square: the first, and how many more there are.
fn few(ports: &str) -> String {
    if ports.chars().count() <= OPEN {
        return ports.to_owned();
    }
    let words = ports.split([',', ';', ' ']);
    let numbers: Vec<_> =
        words.filter(|word| word.starts_with(|c: char| c == '*' || c.is_ascii_digit())).collect();
    match numbers[..] {
        [] => cut(ports, OPEN),
        [only] => cut(only, OPEN),
        [first, ..] => format!("{} +{}", cut(first, OPEN - 2), numbers.len() - 1),
    }
}

/// People, tags, the autogroups, and networks.
fn family(name: &str) -> u8 {
    match name {
        _ if name.starts_with("tag:") => 1,
        _ if name.starts_with("autogroup:internet") || name.starts_with("autogroup:self") => 3,
        _ if name.contains('@') || name.contains("group:") => 0,
        _ => 2,
    }
}

fn legend(y: usize, out: &mut String) {
    let mut x = EDGE;
    for (kind, fill, meaning) in KINDS {
        let (top, right) = (y - 11, x + 20);
        out.push_str(&format!(
            "<rect class=\"{kind}\" fill=\"{fill}\" x=\"{x}\" y=\"{top}\" width=\"14\" height=\"14\" rx=\"3\"/>\
             <text {SOFT} x=\"{right}\" y=\"{y}\">{meaning}</text>\n"
        ));
        x += 44 + meaning.len() * LETTER * 8 / 9;
    }
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use policy::{Row, Side};

    use super::*;

    #[test]
    fn many_ports_are_few_words() {
        for (ports, shown) in [
            ("443", "443"),
            ("22,80", "22,80"),
            ("22,80,443", "22 +2"),
            ("tcp,udp 22", "22"),
            ("tcp 443; udp 53", "443 +1"),
            ("8080-8090", "8080-…"),
            ("8080-8090,9000", "808… +1"),
            ("icmp only", "icmp …"),
        ] {
            assert_eq!(few(ports), shown);
        }
    }

    #[test]
    fn a_name_is_no_markup() {
        let row = Row {
            side: Side { name: "</title><script>\"&".to_owned(), devices: 1 },
            asks: true,
            answers: true,
        };
        let cell = Cell {
            from: 0,
            to: 0,
            ports: "*".to_owned(),
            all: true,
            logins: Vec::new(),
            apps: Vec::new(),
            lines: vec![1],
        };
        let svg = render(&Matrix { rows: vec![row], cells: vec![cell] }, "<x>");
        assert!(!svg.contains("<script") && !svg.contains("<x>"), "{svg}");
        assert!(svg.contains("&lt;/title&gt;&lt;script&gt;&quot;&amp;"), "{svg}");
    }
}
