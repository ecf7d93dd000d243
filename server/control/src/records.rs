//! The watched file of extra names. What cannot be taken leaves the names that were read before.

use std::{
    collections::BTreeSet,
    fs::{File, Metadata},
    io::{self, Read},
    net::IpAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use world::{Command, Records};

use crate::{
    bootstrap::names,
    config::Config,
    fanout::Hub,
    writer::{Failed, Origin, Writer},
};

const MOST_BYTES: u64 = 1 << 20;
const LOOK: Duration = Duration::from_millis(500);
/// A file may be refused for what else is in the mesh.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// Two writes within one tick of the file system's clock leave the same time.
const SETTLED: Duration = Duration::from_secs(2);

/// The file, and what is wrong with it.
#[derive(Debug)]
pub struct RecordsFile {
    path: Option<PathBuf>,
    trouble: Mutex<Option<String>>,
}

/// What tells one state of a file from another.
type Mark = (u64, u64, u64, i64, i64, i64, i64);

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
    /// None is no file: names that one had are forgotten.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self { path, trouble: Mutex::default() }
    }

    /// Why the names are not those that the file has, for people; nothing when they are.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

/// Reads the file whenever it is another one, until told to stop.
pub async fn run(
    file: Arc<RecordsFile>,
    config: Config,
    hub: Arc<Hub>,
    writer: Writer,
    stop: CancellationToken,
) {
    let Some(path) = file.path.clone() else {
        if !hub.world().dns.watched.is_empty()
            && let Err(why) = submit(Records::new(), &config, &hub, &writer).await
        {
            tracing::error!(
                why,
                "names of a file of DNS records that is no longer configured could not be forgotten"
            );
        }
        return;
    };
    let mut known: Option<(Option<Mark>, Instant)> = None;
    while !stop.is_cancelled() {
        let found = std::fs::metadata(&path).ok();
        let mark = found.as_ref().map(mark);
        let is_old = |(_, at): &(_, Instant)| file.trouble().is_some() && at.elapsed() >= TRY_AGAIN;
        let is_same = known.as_ref().is_some_and(|known| known.0 == mark && !is_old(known));
        if !is_same {
            let outcome = match read(&path).await {
                Ok(records) => submit(records, &config, &hub, &writer).await,
                Err(why) => Err(why),
            };
            file.note(&path, outcome.err());
            known = found.as_ref().is_none_or(is_settled).then(|| (mark, Instant::now()));
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

fn mark(found: &Metadata) -> Mark {
    let times = (found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec());
    (found.dev(), found.ino(), found.size(), times.0, times.1, times.2, times.3)
}

fn is_settled(found: &Metadata) -> bool {
    let age = found.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    age.is_none_or(|age| age >= SETTLED)
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
