//! What was there before: written down by `--remember`, compared by `--expect`.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use api::{
    node::{self, Node},
    route, server,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::talk::{Context, Failure, Render, Screen, read_text};

/// A server as it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// When.
    pub at: Timestamp,
    /// What clients were told.
    pub server_url: String,
    /// The key that clients know.
    pub public_key: String,
    /// The devices.
    pub nodes: Vec<Node>,
    /// Prefixes that were served.
    pub routes: BTreeSet<String>,
}

impl Memory {
    /// Reads it back.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        serde_json::from_str(&read_text(path)?).map_err(|e| {
            Failure::usage(format!("{}: {e}", path.display()))
                .hint("`meshctl check --remember FILE` writes such a file")
        })
    }
}

/// What was written down.
#[derive(Serialize)]
pub struct Remembered {
    changed: bool,
    file: PathBuf,
    nodes: usize,
    routes: usize,
}

/// Writes down what is there, whole or not at all.
pub async fn remember(context: &Context, file: &Path) -> Result<Remembered, Failure> {
    let status = context.read(&server::STATUS, &[], &()).await?;
    let nodes = context.read(&node::LIST, &[], &()).await?.nodes;
    let routes = context.read(&route::LIST, &[], &()).await?.routes;
    let served = routes.iter().filter(|r| r.approved && r.advertised).map(|r| r.prefix.to_string());
    let memory = Memory {
        at: context.screen().now,
        server_url: status.server_url,
        public_key: status.public_key.to_string(),
        nodes,
        routes: served.collect(),
    };
    let text = serde_json::to_string_pretty(&memory).map_err(|e| Failure::failed(e.to_string()))?;
    write(file, &text)?;
    Ok(Remembered {
        changed: true,
        file: file.to_owned(),
        nodes: memory.nodes.len(),
        routes: memory.routes.len(),
    })
}

/// A file of this text in the place of what was there.
pub fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = file.with_file_name(name);
    let put = || {
        let _ = fs::remove_file(&new);
        let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        out.write_all(text.as_bytes())?;
        out.write_all(b"\n")?;
        out.sync_all()?;
        fs::rename(&new, file)
    };
    put().map_err(|e: std::io::Error| Failure::failed(format!("cannot write {}: {e}", file.display())))
}

impl Render for Remembered {
    fn render(&self, _: &Screen) -> String {
        format!("wrote down {} devices and {} routes in {}\n", self.nodes, self.routes, self.file.display())
    }
}
