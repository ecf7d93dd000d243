//! The matrix as a graph for Graphviz.

use policy::Matrix;

use super::words;

pub fn render(matrix: &Matrix) -> String {
    let mut out = String::from(
        "digraph access {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fillcolor=\"#eef3f8\", \
         color=\"#5b7793\", fontname=\"sans-serif\"];\n  edge [color=\"#5b7793\", fontname=\"sans-serif\", fontsize=10];\n",
    );
    for (at, row) in matrix.rows.iter().enumerate() {
        let devices = match row.side.devices {
            0 => String::new(),
            1 => "\n1 device".to_owned(),
            many => format!("\n{many} devices"),
        };
        out.push_str(&format!("  n{at} [label={}];\n", quoted(&format!("{}{devices}", row.side.name))));
    }
    for cell in &matrix.cells {
        let weight = if cell.all { ", penwidth=2.5, color=\"#b3261e\"" } else { "" };
        out.push_str(&format!(
            "  n{} -> n{} [label={}{weight}];\n",
            cell.from,
            cell.to,
            quoted(&words(cell).join("\n"))
        ));
    }
    out.push_str("}\n");
    out
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_its_text() {
        assert_eq!(quoted("a\"b\\c\nd"), r#""a\"b\\c\nd""#);
    }
}
