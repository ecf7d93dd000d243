//! The watched file of extra names. What cannot be taken leaves the names that were read before.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read},
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use world::{Command, Records};

use crate::{
    bootstrap::names,
    config::Config,
    fanout::Hub,
    mark::Mark,
    writer::{Failed, Origin, Writer},
};

const MOST_BYTES: u64 = 1 << 20;
const LOOK: Duration = Duration::from_millis(500);
/// A file may be refused for what else is in the mesh.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// What is wrong with the file.
#[derive(Debug, Default)]
pub struct RecordsFile {
    trouble: Mutex<Option<String>>,
}

/// One entry of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    #[serde(rename = "type", default)]
    kind: Option<String>,
    value: String,
}

impl RecordsFile {
    /// Why the names are not those that the file has, for people; nothing when they are.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where no file is configured, names that one had are forgotten.
    async fn forget(&self, config: &Config, hub: &Hub, writer: &Writer) {
        if hub.world().dns.watched.is_empty() {
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
            return;
        }
        if let Err(why) = submit(Records::new(), config, hub, writer).await {
            tracing::error!(
                why,
                "names of a file of DNS records that is no longer configured could not be forgotten"
            );
        }
    }

    fn note(&self, path: &Path, trouble: Option<String>) {
        let trouble = trouble.map(|why| {
            format!("dns.records_file: {}: {why}; the names that were read before stay", path.display())
        });
        let mut known = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == trouble {
            return;
        }
        match &trouble {
            Some(trouble) => tracing::error!("THE FILE OF DNS RECORDS IS NOT USED: {trouble}"),
            None => tracing::info!(path = %path.display(), "the file of DNS records is in force"),
        }
        *known = trouble;
    }
}

/// Reads the file that is configured whenever it is another one, until told to stop.
pub async fn run(
    file: Arc<RecordsFile>,
    live: Arc<ArcSwap<Config>>,
    hub: Arc<Hub>,
    writer: Writer,
    stop: CancellationToken,
) {
    let mut known: Option<(PathBuf, Option<Mark>, Instant)> = None;
    while !stop.is_cancelled() {
        let config = live.load_full();
        match &config.records_file {
            None => {
                known = None;
                file.forget(&config, &hub, &writer).await;
            }
            Some(path) => {
                let mark = Mark::of(path);
                let is_old = |at: &Instant| file.trouble().is_some() && at.elapsed() >= TRY_AGAIN;
                let is_known = |(of, had, at): &(PathBuf, _, _)| of == path && *had == mark && !is_old(at);
                if !known.as_ref().is_some_and(is_known) {
                    let outcome = match read(path).await {
                        Ok(records) => submit(records, &config, &hub, &writer).await,
                        Err(why) => Err(why),
                    };
                    file.note(path, outcome.err());
                    let is_settled = mark.is_none_or(|mark| mark.is_settled());
                    known = is_settled.then(|| (path.clone(), mark, Instant::now()));
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn submit(records: Records, config: &Config, hub: &Hub, writer: &Writer) -> Result<(), String> {
    let bootstrap = names(config, &hub.world(), &hub.site());
    let command = Command::ReadDnsRecords { records, bootstrap };
    match writer.submit(command, Origin::system()).await {
        Ok(_) => Ok(()),
        Err(Failed::Refused(refusal)) => Err(refusal.to_string()),
        Err(failed) => Err(failed.to_string()),
    }
}

async fn read(path: &Path) -> Result<Records, String> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || parse(&text(&path).map_err(|e| e.to_string())?));
    read.await.unwrap_or_else(|e| Err(e.to_string()))
}

fn text(path: &Path) -> io::Result<String> {
    // Opening a pipe would wait for its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    String::from_utf8(text).map_err(|e| {
        io::Error::other(format!("it is no text: byte {} is not UTF-8", e.utf8_error().valid_up_to() + 1))
    })
}

/// A list of objects with `name`, `value` and perhaps `type`.
fn parse(text: &str) -> Result<Records, String> {
    let entries: Vec<Entry> = serde_json::from_str(text).map_err(|e| wire::plain(&e.to_string()))?;
    let mut records = Records::new();
    for (number, entry) in (1..).zip(entries) {
        let name: String = wire::plain(&entry.name).chars().take(100).collect();
        let wrong = |why: &str| format!("record {number} ({name}): {why}");
        let address: IpAddr = entry.value.parse().map_err(|_| wrong("its value is no address"))?;
        let fits = match entry.kind.as_deref() {
            None | Some("") => true,
            Some("A") => address.is_ipv4(),
            Some("AAAA") => address.is_ipv6(),
            Some(_) => return Err(wrong("its type is neither A nor AAAA")),
        };
        if !fits {
            return Err(wrong("its value is no address of its type"));
        }
        let addresses: &mut BTreeSet<IpAddr> = records.entry(entry.name.to_ascii_lowercase()).or_default();
        addresses.insert(address);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_all_of_its_lines() {
        let text = r#"[{"name": "A.b", "type": "A", "value": "192.0.2.1"}, {"name": "a.b", "value": "2001:db8::1"}]"#;
        assert_eq!(parse(text).unwrap()["a.b"].len(), 2);
        assert!(parse("[]").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, why) in [
            ("", "line 1 column 0"),
            (r#"[{"name": "a", "value": "192.0.2.1"}"#, "line 1 column"),
            ("[\n{\"nam\": \"a\"}]", "line 2 column"),
            (r#"[{"name": "a", "value": "192.0.2.1"}, {"name": "b", "value": "x"}]"#, "record 2 (b)"),
            (r#"[{"name": "a", "type": "AAAA", "value": "192.0.2.1"}]"#, "no address of its type"),
            (r#"[{"name": "a", "type": "TXT", "value": "192.0.2.1"}]"#, "neither A nor AAAA"),
        ] {
            let found = parse(text).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
    }

    #[test]
    fn only_a_regular_file_of_a_reasonable_size_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(text(folder.path()).is_err());
        let file = folder.path().join("records");
        std::fs::write(&file, vec![b' '; MOST_BYTES as usize + 1]).unwrap();
        assert!(text(&file).unwrap_err().to_string().contains("1 MiB"));
        std::fs::write(&file, [b'[', 0xff]).unwrap();
        assert!(text(&file).unwrap_err().to_string().contains("byte 2"));
    }
}
