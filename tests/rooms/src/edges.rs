//! The crates of the workspace and what they stand on, as cargo knows it.

use std::{env, process::Command};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::tree;

/// One crate of the workspace.
pub struct Member {
    pub name: String,
    /// Its folder relative to the root.
    pub folder: String,
    /// What its library, binaries and build script use; tests may use anything.
    pub uses: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: String,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

/// Every crate of the workspace, sorted by name.
pub fn members() -> Result<Vec<Member>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(tree::root())
        .output()
        .context("running cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let mut members: Vec<_> =
        metadata.packages.into_iter().map(|p| member(p, &metadata.workspace_root)).collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(members)
}

fn member(package: Package, root: &str) -> Member {
    let folder = package.manifest_path.trim_start_matches(root).trim_start_matches('/');
    let uses = package.dependencies.into_iter().filter(|d| d.kind.as_deref() != Some("dev"));
    Member {
        name: package.name,
        folder: folder.trim_end_matches("/Cargo.toml").to_owned(),
        uses: uses.map(|d| d.name).collect(),
    }
}
