//! Joining again: the instruction is read, everything is looked at, and what was done is remembered.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use api::agent::{MESH_PATH, Mesh};
use jiff::Timestamp;
use readiness::check::agent::recovery::{Scene, decide};
use serde::{Deserialize, Serialize};
use tokio::{process::Command, time::timeout};

use super::{
    config::{Config, Recovery},
    instruction::{Instruction, OperatorKey},
    local::Local,
};
use crate::{
    probe::exchange::{Question, ask},
    talk::SecretFile,
};

const LONGEST: u64 = 16 << 10;
const JOIN_WITHIN: Duration = Duration::from_secs(90);
const RESTART_WITHIN: Duration = Duration::from_secs(30);
/// What is kept in the memory folder.
const MEMORY: &str = "mesh.json";

/// What this machine remembers of its mesh.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Memory {
    /// The database that its node was in last.
    was_in: Option<String>,
    /// Its name there.
    name: String,
    /// The instruction that was tried last.
    instruction: String,
    tries: u32,
    used: bool,
}

impl Memory {
    fn load(folder: &Path) -> Result<Self, String> {
        let path = folder.join(MEMORY);
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display())),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(format!("{}: {e}", path.display())),
        }
    }
    fn keep(&self, folder: &Path) -> Result<(), String> {
        let text = serde_json::to_string(self).map_err(|e| e.to_string())?;
        SecretFile::prepare(&folder.join(MEMORY)).and_then(|file| file.commit(&text)).map_err(|e| e.detail)
    }
}

/// The node is good in this mesh now.
pub fn remember(config: &Config, database: &str, name: &str) -> Result<(), String> {
    let Some(folder) = &config.memory_dir else { return Ok(()) };
    let known = Memory::load(folder)?;
    let was_in = Some(database.to_owned());
    if known.was_in == was_in && known.name == name {
        return Ok(());
    }
    Memory { was_in, name: name.to_owned(), ..known }.keep(folder)
}

/// Joins again if that is right. What was done, or why nothing was; nothing at all when there is no instruction.
pub async fn attempt(config: &Config) -> Result<Option<String>, String> {
    let Some(recovery) = &config.recovery else { return Ok(None) };
    let Some(folder) = &config.memory_dir else { return Err("there is no memory_dir".to_owned()) };
    let key = OperatorKey::parse(&recovery.operator_key).ok_or("recovery.operator_key is no key")?;
    let Some(text) = read(&recovery.instruction)? else { return Ok(None) };
    let instruction = key.open(&text)?;
    let mut memory = Memory::load(folder)?;
    if memory.instruction != instruction.id {
        memory = Memory { instruction: instruction.id.clone(), tries: 0, used: false, ..memory };
    }
    let scene = look(config, &instruction, &memory).await?;
    let why = match decide(&instruction.order, &scene, Timestamp::now()) {
        Ok(why) => why,
        Err(why) => return Ok(Some(format!("an instruction is there and not followed: {why}"))),
    };
    memory.tries += 1;
    memory.keep(folder)?;
    join(recovery, folder, &instruction, scene.backend.as_deref()).await?;
    Memory { used: true, ..memory }.keep(folder)?;
    Ok(Some(format!("joined {} on instruction {}: {why}", instruction.order.server_url, instruction.id)))
}

/// The instruction's text. It holds a key, and whoever could write it could undo an older one.
fn read(path: &Path) -> Result<Option<String>, String> {
    let wrong = |why: String| format!("{}: {why}", path.display());
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(wrong(e.to_string())),
    };
    if !meta.is_file() {
        return Err(wrong("not a plain file".to_owned()));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(wrong(format!("mode {:o}, where 600 is right: it holds a key", meta.mode() & 0o777)));
    }
    let mut text = String::new();
    let file = File::open(path).map_err(|e| wrong(e.to_string()))?;
    file.take(LONGEST).read_to_string(&mut text).map_err(|e| wrong(e.to_string()))?;
    Ok(Some(text))
}

async fn look(config: &Config, instruction: &Instruction, memory: &Memory) -> Result<Scene, String> {
    let status = Local::new(config.tailscale_socket.clone()).status().await.ok();
    let name = match memory.name.is_empty() {
        true => status.as_ref().map(super::local::Status::name).unwrap_or_default(),
        false => memory.name.clone(),
    };
    let trust = config.trust().map_err(|e| e.detail)?;
    let question = Question { method: "GET", path: MESH_PATH, bearer: None, body: "" };
    let server = match ask(&instruction.order.server_url, question, &trust).await {
        Ok((200, body)) => serde_json::from_slice::<Mesh>(&body)
            .map(|mesh| (mesh.public_key.to_string(), mesh.database))
            .map_err(|_| "it answers in other words than meshctl's".to_owned()),
        Ok((status, _)) => Err(format!("it answers {status}")),
        Err(why) => Err(why),
    };
    Ok(Scene {
        backend: status.as_ref().map(|status| status.backend_state.clone()),
        online: status.as_ref().is_some_and(|status| status.plain().online),
        name,
        was_in: memory.was_in.clone(),
        server,
        tries: memory.tries,
        used: memory.used,
    })
}

async fn join(
    recovery: &Recovery,
    folder: &Path,
    instruction: &Instruction,
    backend: Option<&str>,
) -> Result<(), String> {
    if backend != Some("NeedsLogin") && !recovery.restart.is_empty() {
        program(&recovery.restart, RESTART_WITHIN).await?;
    }
    let key = KeyFile::write(folder, instruction.auth_key.expose())?;
    let place = key.0.display().to_string();
    let fill =
        |word: &String| word.replace("{url}", &instruction.order.server_url).replace("{key_file}", &place);
    program(&recovery.command.iter().map(fill).collect::<Vec<_>>(), JOIN_WITHIN).await
}

/// A key in a file that is gone when this is.
struct KeyFile(PathBuf);

impl KeyFile {
    fn write(folder: &Path, key: &str) -> Result<Self, String> {
        let path = folder.join("join.key");
        let _ = fs::remove_file(&path);
        let made = Self(path);
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&made.0);
        let written = file.and_then(|mut file| file.write_all(key.as_bytes()));
        written.map_err(|e| format!("{}: {e}", made.0.display()))?;
        Ok(made)
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

async fn program(words: &[String], within: Duration) -> Result<(), String> {
    let [name, arguments @ ..] = words else { return Err("no command".to_owned()) };
    let mut command = Command::new(name);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let output =
        timeout(within, command.output()).await.map_err(|_| format!("{name} did not end in time"))?;
    let output = output.map_err(|e| format!("{name}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().chars().take(300).collect::<String>();
    Err(format!("{name} ended with {}: {said}", output.status))
}

#[cfg(test)]
mod tests {
    use ident::Secret;
    use readiness::check::agent::recovery::Order;

    use super::*;

    const KEY: &str = "mk-auth-1-of-this-test";

    fn instruction() -> Instruction {
        let order = Order {
            server_url: "http://mesh.test".into(),
            public_key: String::new(),
            database: String::new(),
            nodes: vec!["*".into()],
            not_before: Timestamp::UNIX_EPOCH,
            expires: Timestamp::MAX,
        };
        Instruction { id: "1".into(), order, auth_key: Secret::new(KEY.into()) }
    }

    /// How it ends, and what was done on the machine, in its order. Without a line nothing is to be started anew.
    async fn done(restart: Option<&str>, backend: Option<&str>) -> (Result<(), String>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let shell = |line: &str, more: &[&str]| -> Vec<String> {
            let words = ["sh", "-c", line, log.to_str().unwrap()].into_iter();
            words.chain(more.iter().copied()).map(str::to_owned).collect()
        };
        let recovery = Recovery {
            operator_key: String::new(),
            instruction: PathBuf::new(),
            command: shell(r#"echo "join $1 $(cat "$2")" >>"$0""#, &["{url}", "{key_file}"]),
            restart: restart.map(|line| shell(line, &[])).unwrap_or_default(),
        };
        let outcome = join(&recovery, folder.path(), &instruction(), backend).await;
        assert!(!folder.path().join("join.key").exists(), "the key is left behind");
        let log = fs::read_to_string(&log).unwrap_or_default();
        (outcome, log.lines().map(str::to_owned).collect())
    }

    #[tokio::test]
    async fn a_client_that_does_not_ask_for_a_login_is_started_anew_before_it_joins() {
        let (anew, joins) = (r#"echo restart >>"$0""#, format!("join http://mesh.test {KEY}"));
        for backend in [None, Some("Stopped"), Some("Running"), Some("NoState")] {
            assert_eq!(done(Some(anew), backend).await, (Ok(()), vec!["restart".into(), joins.clone()]));
        }
        assert_eq!(
            done(Some(anew), Some("NeedsLogin")).await,
            (Ok(()), vec![joins.clone()]),
            "it would listen"
        );
        assert_eq!(done(None, Some("Stopped")).await, (Ok(()), vec![joins]), "it is to be left alone");
    }

    #[tokio::test]
    async fn a_client_that_cannot_be_started_anew_does_not_join() {
        let (outcome, log) = done(Some("echo 'no such unit' >&2; exit 5"), Some("Stopped")).await;
        let why = outcome.unwrap_err();
        assert!(why.contains("exit status: 5") && why.contains("no such unit"), "{why}");
        assert_eq!(log, Vec::<String>::new());
    }

    #[test]
    fn it_is_the_unit_of_the_client_unless_something_else_is_said() {
        let said = |text: &str| serde_json::from_str::<Recovery>(text).unwrap().restart;
        assert_eq!(said(r#"{"operator_key": "x"}"#), ["systemctl", "restart", "tailscaled.service"]);
        assert_eq!(said(r#"{"operator_key": "x", "restart": []}"#), Vec::<String>::new());
    }
}
