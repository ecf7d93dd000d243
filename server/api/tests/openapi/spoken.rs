//! Names and words of the operations: what the sources call them and say above them.

use std::{collections::BTreeMap, fs, path::Path};

/// What the sources say of one operation.
#[derive(Debug, Clone)]
pub struct Spoken {
    /// `node.list`.
    pub id: String,
    /// The comment above it.
    pub words: String,
}

/// By method and path.
pub fn all() -> BTreeMap<(String, String), Spoken> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    for path in files.filter(|path| path.is_file()) {
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        found.extend(declarations(&module, &fs::read_to_string(&path).unwrap()));
    }
    found
}

fn declarations(module: &str, text: &str) -> Vec<((String, String), Spoken)> {
    let (mut words, mut found) = (Vec::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(said) = line.strip_prefix("/// ") {
            words.push(said.to_owned());
            continue;
        }
        if line.starts_with("pub const ") && line.contains(": Operation<") {
            let mut statement = line.to_owned();
            while !statement.ends_with(';') {
                statement.push_str(lines.next().unwrap());
            }
            found.push(declaration(module, &statement, &words.join(" ")));
        }
        words.clear();
    }
    found
}

fn declaration(module: &str, statement: &str, words: &str) -> ((String, String), Spoken) {
    let name = statement.strip_prefix("pub const ").unwrap().split(':').next().unwrap();
    let call = statement.split(" = ").nth(1).unwrap();
    let texts: Vec<_> = call.split('"').skip(1).step_by(2).collect();
    let path = match call.contains("in_tailnet!(") {
        true => format!("/api/mesh/v1/tailnet/{{tailnet}}{}", texts[1]),
        false => texts[1].to_owned(),
    };
    let methods = ["Post", "Put", "Delete"];
    let method = methods.iter().find(|m| call.contains(&format!(" {m},"))).unwrap_or(&"Get").to_lowercase();
    let id = format!("{module}.{}", name.to_lowercase());
    ((method, path), Spoken { id, words: words.replace(['[', ']', '`'], "") })
}
