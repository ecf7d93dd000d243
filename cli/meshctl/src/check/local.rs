//! Evidence from files of this machine: keys, playbooks, documents, configurations.

mod walk;

use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{Context as Digest, SHA256};
use readiness::{
    Verdict,
    check::{
        files::{self, Found, Kind, Seen},
        nodes, proxy,
        text::{self, Record, Text},
    },
};
use serde::Serialize;

use super::{facts::Facts, inputs::Inputs, memory};
use crate::talk::{Failure, Render, Screen, read_text};

/// The record of a run on a fresh host, beside the playbooks.
const RECORD: &str = "fresh-run.json";

/// Playbooks and documents that were named; a verdict when they cannot be read.
pub fn texts(facts: &Facts<'_>) -> Result<Vec<Text>, Verdict> {
    walk::texts(&facts.inputs.playbooks).map_err(|e| Verdict::unknown(e.detail))
}

/// `config.valid`.
pub fn config(facts: &Facts<'_>) -> Verdict {
    let Some(path) = &facts.inputs.config else {
        return Verdict::skip("no configuration was named: --config FILE");
    };
    let file = path.display().to_string();
    match crate::server::told(path) {
        Ok(told) => {
            Verdict::pass(format!("{file} could be run")).seen("the configuration", file, told.listen)
        }
        Err(mistakes) => mistakes
            .into_iter()
            .map(|mistake| Verdict::fail(mistake).fix(format!("meshctl server config check --config {file}")))
            .reduce(Verdict::and)
            .unwrap_or_else(|| Verdict::unknown(format!("{file} could not be judged"))),
    }
}

/// `docs.commands`.
pub fn commands(facts: &Facts<'_>) -> Verdict {
    searched(facts, text::dead_commands)
}

/// `playbook.undefined-when-fresh`.
pub fn undefined(facts: &Facts<'_>) -> Verdict {
    match texts(facts) {
        Ok(texts) => text::undefined_when_fresh(&texts),
        Err(verdict) => verdict,
    }
}

/// `files.non-empty`.
pub fn files(facts: &Facts<'_>) -> Verdict {
    let mut wanted = facts.inputs.file.clone();
    if let Some(folder) = &facts.inputs.data_dir {
        match server_files(folder) {
            Ok(found) => wanted.extend(found),
            Err(why) => return Verdict::unknown(format!("{} cannot be read: {why}", folder.display())),
        }
    }
    let seen: Vec<_> = wanted.iter().map(|(path, kind)| look(path, *kind)).collect();
    let findings = match texts(facts) {
        Ok(texts) => text::existence(&texts),
        Err(verdict) => verdict,
    };
    files::non_empty(&seen, findings, facts.context.screen().now)
}

/// `backup.restorable`.
pub async fn backups(facts: &Facts<'_>) -> Verdict {
    let Some(folder) = &facts.inputs.backups else {
        return Verdict::skip("no folder of backups was named: --backups DIR");
    };
    let found = match crate::backup::receipts(folder) {
        Ok(found) => found,
        Err(e) => return Verdict::unknown(e.detail),
    };
    let live = facts.answer().await.as_ref().ok().map(|status| status.database.as_str());
    files::restorable(
        &folder.display().to_string(),
        &found,
        live.filter(|name| !name.is_empty()),
        facts.context.screen().now,
    )
}

/// `clients.notified`.
pub async fn notified(facts: &Facts<'_>) -> Verdict {
    let Some(file) = &facts.inputs.reset_plan else {
        return Verdict::skip("no reset is planned: --reset-plan FILE names the plan of one");
    };
    let plan = match crate::reset::Plan::load(file) {
        Ok(plan) => nodes::notified::with_agents(plan.told(file), &word_of_agents(facts, &plan.notice).await),
        Err(e) => return Verdict::unknown(e.detail),
    };
    let live = facts.answer().await.as_ref().ok().map(|status| status.database.as_str());
    nodes::notified::notified(&plan, live.filter(|name| !name.is_empty()), facts.context.screen().now)
}

/// Devices whose agent has shown the notice in force, and whose agent has not.
async fn word_of_agents(facts: &Facts<'_>, notice: &str) -> nodes::notified::Agents {
    let said = facts.context.read(&api::server::NOTICE, &[], &()).await.ok();
    let Some(notice) = said.filter(|said| said.text.as_deref() == Some(notice)) else {
        return Default::default();
    };
    let acknowledged = notice.acknowledged.into_iter().map(|seen| (seen.node, seen.at.to_string())).collect();
    nodes::notified::Agents { acknowledged, awaited: notice.awaited }
}

/// `proxy.limits`.
pub async fn proxy(facts: &Facts<'_>) -> Verdict {
    let mut read = Vec::new();
    for path in &facts.inputs.proxy_config {
        match read_text(path) {
            Ok(text) => read.push((path.display().to_string(), text)),
            Err(e) => return Verdict::unknown(e.detail),
        }
    }
    let url = if read.is_empty() { None } else { facts.url().await };
    let url = url.and_then(|url| url.parse::<reqwest::Url>().ok());
    let host = url
        .as_ref()
        .and_then(reqwest::Url::host_str)
        .filter(|host| host.parse::<std::net::IpAddr>().is_err());
    proxy::limits(&read, host)
}

/// `playbook.fresh-tested`.
pub fn fresh_tested(facts: &Facts<'_>) -> Verdict {
    let now = facts.context.screen().now;
    let Some(first) = facts.inputs.playbooks.first() else { return text::fresh_tested(None, None, now) };
    let tree = match tree(&facts.inputs.playbooks) {
        Ok(tree) => tree,
        Err(e) => return Verdict::unknown(e.detail),
    };
    let place = facts.inputs.fresh_record.clone().unwrap_or_else(|| first.join(RECORD));
    let record = match fs::read_to_string(&place) {
        Ok(text) => Some(Record::parse(&text).map_err(|e| format!("{}: {e}", place.display()))),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => None,
        Err(e) => Some(Err(format!("{}: {e}", place.display()))),
    };
    text::fresh_tested(Some(&tree), record.as_ref(), now)
}

/// A record that was written.
#[derive(Serialize)]
pub struct Recorded {
    changed: bool,
    file: PathBuf,
    record: Record,
}

/// Binds a run on a fresh host to the playbooks as they are.
pub fn record_fresh(inputs: &Inputs, file: &Path, second_run_changed: u64) -> Result<Recorded, Failure> {
    let record = Record {
        tree: tree(&inputs.playbooks)?,
        at: jiff::Timestamp::now(),
        started_fresh: true,
        converged: true,
        second_run_changed,
    };
    let text = serde_json::to_string_pretty(&record).map_err(|e| Failure::failed(e.to_string()))?;
    memory::write(file, &text)?;
    Ok(Recorded { changed: true, file: file.to_owned(), record })
}

impl Render for Recorded {
    fn render(&self, _: &Screen) -> String {
        let Recorded { file, record, .. } = self;
        format!(
            "recorded in {}: the second run changed {} things\n",
            file.display(),
            record.second_run_changed
        )
    }
}

/// SHA-256 over names and contents, records left out.
fn tree(paths: &[PathBuf]) -> Result<String, Failure> {
    let mut digest = Digest::new(&SHA256);
    for (name, path) in walk::files(paths)?.into_iter().filter(|(name, _)| !name.ends_with(RECORD)) {
        let bytes =
            fs::read(&path).map_err(|e| Failure::failed(format!("cannot read {}: {e}", path.display())))?;
        for part in [name.as_bytes(), &bytes] {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part);
        }
    }
    Ok(digest.finish().as_ref().iter().map(|b| format!("{b:02x}")).collect())
}

fn searched(facts: &Facts<'_>, search: fn(&[Text]) -> Verdict) -> Verdict {
    let texts = match texts(facts) {
        Ok(texts) if texts.is_empty() => return Verdict::skip("no text was named: --playbooks PATH"),
        Ok(texts) => texts,
        Err(verdict) => return verdict,
    };
    let verdict = search(&texts);
    let said = format!("{} texts", texts.len());
    match verdict.findings.is_empty() {
        true => Verdict::pass("nothing of the kind stands there").seen("every line", said, "nothing"),
        false => verdict,
    }
}

/// The files that a server needs: keys and database.
fn server_files(folder: &Path) -> std::io::Result<Vec<(PathBuf, Kind)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = match Kind::of(&name) {
            Kind::Any if name.starts_with("pepper") => Kind::ServerKey,
            Kind::Any => continue,
            kind => kind,
        };
        found.push((path, kind));
    }
    for (name, kind) in [("noise.key", Kind::NoiseKey), ("mesh.db", Kind::Database)] {
        if found.iter().all(|(path, _)| !path.ends_with(name)) {
            found.push((folder.join(name), kind));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// A file as it is there.
pub fn look(path: &Path, kind: Kind) -> Seen {
    Seen { path: path.display().to_string(), kind, found: found(path) }
}

fn found(path: &Path) -> Found {
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == ErrorKind::NotFound => return Found::Missing,
        Err(e) => return Found::Unreadable(e.to_string()),
    };
    if !meta.is_file() {
        return Found::Other(if meta.is_dir() { "a folder".into() } else { "a device or a pipe".into() });
    }
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(Seen::HEAD as u64).read_to_end(&mut head));
    match read {
        Ok(_) => Found::File { mode: meta.mode() & !shut_out(path), length: meta.len(), head },
        Err(e) => Found::Unreadable(e.to_string()),
    }
}

/// Permissions that mean nothing, because the folder lets those people not even in.
fn shut_out(path: &Path) -> u32 {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(meta) = fs::metadata(folder) else { return 0 };
    let classes = [(0o010, 0o070), (0o001, 0o007)];
    classes.iter().filter(|(enter, _)| meta.mode() & enter == 0).map(|(_, all)| all).sum()
}
