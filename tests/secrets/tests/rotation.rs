//! Rotations with a real server and a consumer that is asked all the time, killed at every step.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use secret_stories::{Bench, Consumer, Server, kills};
use serde_json::Value;

const SOCKET: &str = "--socket mesh-data/control.sock";
const STATES: [&str; 9] =
    ["planned", "created", "storing", "stored", "deploying", "deployed", "verified", "revoking", "revoked"];

#[derive(Clone, Copy, Debug)]
enum Format {
    Vault,
    Inline,
    Sops,
    Age,
}

/// A server, a file in this format that holds an API key, and a consumer that holds the same.
struct Stage {
    bench: Bench,
    server: Server,
    consumer: Consumer,
    /// File, value and keys, as flags.
    flags: String,
    git: bool,
}

impl Stage {
    fn set(format: Format) -> Self {
        let bench = Bench::new();
        let server = Server::start(&bench);
        bench.meshctl(&format!("apikey create --out deployed.key {SOCKET}"), "").ok();
        let key = bench.read("deployed.key");
        let flags = file(&bench, format, key.trim());
        let consumer = Consumer::start(bench.path("deployed.key"), server.port);
        Self { bench, server, consumer, flags, git: false }
    }
    /// What gives the consumer the key in the file.
    fn deploy(&self) -> String {
        format!("--deploy 'meshctl secret get {} --out deployed.key'", self.flags.replace('\'', ""))
    }
    fn rotate(&self) -> String {
        let dirty = if self.git { "" } else { "--allow-dirty" };
        let url = format!("--verify-url http://127.0.0.1:{}/healthz", self.consumer.port);
        format!(
            "secret rotate headplane-api-key {} {} {url} {dirty} {SOCKET} --json",
            self.flags,
            self.deploy()
        )
    }
    fn keys(&self) -> Vec<Value> {
        let list = self.bench.meshctl(&format!("apikey list --json {SOCKET}"), "").ok().json();
        list["apikeys"].as_array().unwrap().iter().filter(|k| k["revoked"].is_null()).cloned().collect()
    }
    fn state(&self) -> Option<String> {
        Some(self.journal()?["state"].as_str()?.to_owned())
    }
    fn journal(&self) -> Option<Value> {
        let folder = fs::read_dir(self.bench.path(".local/state/meshctl/rotations")).ok()?;
        let journal = folder.flatten().find(|e| e.path().extension().is_some_and(|x| x == "json"))?;
        serde_json::from_slice(&fs::read(journal.path()).ok()?).ok()
    }
    /// File and consumer hold the only key that is valid, and the consumer was never refused.
    fn law(&self) {
        let keys = self.keys();
        assert_eq!(keys.len(), 1, "{keys:?}");
        let held = self.bench.read("deployed.key");
        assert!(held.starts_with(&format!("mk-api-{}-", keys[0]["id"])), "{held} {keys:?}");
        let stored = self.bench.secret(&format!("get {}", self.flags)).ok().json();
        assert_eq!(stored["value"].as_str().unwrap().trim(), held.trim());
        let (mut asked, mut refused) = self.consumer.count();
        while asked == 0 {
            std::thread::sleep(Duration::from_millis(20));
            (asked, refused) = self.consumer.count();
        }
        assert!(refused == 0, "{refused} of {asked} were refused");
    }
}

fn file(bench: &Bench, format: Format, key: &str) -> String {
    bench.write("pass", "a password of some length");
    bench.write("plain.yml", &format!("# kept\nother: 1\nvault_headplane_api_key: {key}\n"));
    match format {
        Format::Vault => {
            bench
                .tool("ansible-vault", "encrypt --vault-password-file pass --output v.yml plain.yml", "")
                .ok();
            "--file v.yml --var vault_headplane_api_key --vault-password-file pass".to_owned()
        }
        Format::Inline => {
            bench.write("v.yml", "# kept\nother: 1\n");
            bench.write("key", key);
            let flags = "--file v.yml --var vault_headplane_api_key --vault-password-file pass";
            bench.secret(&format!("set {flags} --create --value-file key")).ok();
            flags.to_owned()
        }
        Format::Sops => {
            let recipient = bench.age_key("age.key");
            bench.tool("sops", &format!("encrypt --age {recipient} --output v.yml plain.yml"), "").ok();
            "--file v.yml --var vault_headplane_api_key --age-identity age.key".to_owned()
        }
        Format::Age => {
            let recipient = bench.age_key("age.key");
            bench.write("recipients.txt", &recipient);
            bench.write("key", key);
            bench.tool("age", &format!("-r {recipient} -o v.age key"), "").ok();
            "--file v.age --age-identity age.key".to_owned()
        }
    }
}

#[test]
fn a_rotation_leaves_one_key_that_works() {
    for format in [Format::Vault, Format::Inline, Format::Sops, Format::Age] {
        let stage = Stage::set(format);
        let check = stage.bench.meshctl(&format!("{} --check", stage.rotate()), "").ok().json();
        assert_eq!((&check["changed"], &check["old"]), (&true.into(), &"1".into()), "{format:?}");
        assert_eq!(stage.keys().len(), 1);
        let done = stage.bench.meshctl(&stage.rotate(), "").ok().json();
        assert_eq!(done["state"], "done", "{format:?}");
        stage.law();
        let status = stage.bench.secret("status").ok().json();
        assert_eq!(status["rotations"][0]["state"], "done");
        assert_eq!(stage.bench.secret(&format!("resume {SOCKET}")).ok().json()["changed"], false);
        drop(stage.server);
    }
}

/// Runs until the journal says `state` or something later, and a little longer; then SIGKILL.
fn killed_at(stage: &Stage, line: &str, state: &str, longer: Duration) {
    let wanted = STATES.iter().position(|s| *s == state).unwrap();
    let mut child = stage.bench.start(line);
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        let there = stage.state().and_then(|s| STATES.iter().position(|x| *x == s));
        if there.is_some_and(|n| n >= wanted) || child.try_wait().unwrap().is_some() {
            break;
        }
    }
    std::thread::sleep(longer);
    let _ = child.kill();
    child.wait().unwrap();
}

fn survives(format: Format) {
    let stage = Stage::set(format);
    let mut left = BTreeSet::new();
    // Where a machine is slow to kill, it is killed more often.
    for n in 0..10 * kills() {
        if n >= kills() && left.len() >= 4 {
            break;
        }
        for state in STATES {
            let longer = Duration::from_micros((n as u64 * 1777) % 20_000);
            let last = stage.journal().map(|j| j["id"].clone());
            killed_at(&stage, &stage.rotate(), state, longer);
            left.extend(stage.state().filter(|state| state != "done"));
            killed_at(&stage, &format!("secret resume {SOCKET}"), state, longer);
            let ended = stage.bench.secret(&format!("resume {SOCKET}"));
            assert_eq!(ended.code, 0, "{state} {n}: {ended:?}");
            assert_eq!(stage.state().as_deref(), Some("done"));
            assert_ne!(stage.journal().map(|j| j["id"].clone()), last, "no rotation began");
            stage.law();
        }
    }
    assert!(left.len() >= 4, "the kills hit {left:?} only");
}

#[test]
fn a_rotation_in_a_vault_survives_kills() {
    survives(Format::Vault);
}

#[test]
fn a_rotation_in_sops_survives_kills() {
    survives(Format::Sops);
}

#[test]
fn a_rotation_in_age_survives_kills() {
    survives(Format::Age);
}

#[test]
fn a_deployment_that_a_killed_process_left_behind_is_waited_for() {
    let stage = Stage::set(Format::Vault);
    let slow = stage.deploy().replace("--deploy 'meshctl", "--deploy 'sleep 2; touch late; meshctl");
    let line = stage.rotate().replace(&stage.deploy(), &slow);
    killed_at(&stage, &line, "deploying", Duration::from_millis(200));
    assert!(!stage.bench.path("late").exists());
    stage.bench.secret(&format!("abort {SOCKET}")).ok();
    assert!(stage.bench.path("late").exists());
    assert_eq!(stage.state().as_deref(), Some("aborted"));
    std::thread::sleep(Duration::from_secs(3));
    stage.law();
}

#[test]
fn an_aborted_rotation_leaves_what_was() {
    let stage = Stage::set(Format::Vault);
    for n in 0..kills() {
        for state in &STATES[..7] {
            let before = stage.bench.read("v.yml");
            killed_at(&stage, &stage.rotate(), state, Duration::from_micros((n as u64 * 911) % 5000));
            killed_at(&stage, &format!("secret abort {SOCKET}"), "created", Duration::from_millis(2));
            let aborted = stage.bench.secret(&format!("abort {SOCKET}"));
            if aborted.code != 0 {
                assert_eq!(aborted.refusal(), "too_late");
                stage.bench.secret(&format!("resume {SOCKET}")).ok();
            } else if stage.state().as_deref() == Some("aborted") {
                assert_eq!(stage.bench.read("v.yml"), before);
            }
            stage.law();
        }
    }
}

#[test]
fn the_old_key_stays_until_the_new_one_was_seen() {
    let stage = Stage::set(Format::Vault);
    let url = format!("--verify-url http://127.0.0.1:{}/healthz", stage.consumer.port);
    let line = format!(
        "secret rotate headplane-api-key {} --deploy true {url} --verify-within 2s {SOCKET} --json",
        stage.flags
    );
    let stopped = stage.bench.meshctl(&line, "");
    assert_eq!(stopped.code, 3, "{stopped:?}");
    assert_eq!(stopped.refusal(), "not_verified");
    assert_eq!(stage.keys().len(), 2);
    assert_eq!(stage.bench.meshctl(&line, "").refusal(), "under_way");
    stage.bench.secret(&format!("abort {SOCKET}")).ok();
    stage.law();
}

#[test]
fn without_a_deployment_it_waits() {
    let stage = Stage::set(Format::Inline);
    let line = format!("secret rotate headplane-api-key {} {SOCKET} --json", stage.flags);
    let waits = stage.bench.meshctl(&line, "").ok().json();
    assert_eq!((&waits["state"], &waits["waits_for_deploy"]), (&"stored".into(), &true.into()));
    stage.bench.secret(&format!("get {} --out deployed.key", stage.flags)).ok();
    let done = stage.bench.secret(&format!("resume {SOCKET}")).ok().json();
    assert_eq!(done["state"], "done");
    stage.law();
}

#[test]
fn a_file_with_uncommitted_changes_is_left_alone() {
    let mut stage = Stage::set(Format::Vault);
    stage.git = true;
    let git =
        |line: &str| stage.bench.tool("git", &format!("-c user.name=a -c user.email=a@b {line}"), "").ok();
    git("init -q");
    git("add v.yml");
    assert_eq!(stage.bench.meshctl(&stage.rotate(), "").refusal(), "dirty");
    git("commit -qm first");
    stage.bench.meshctl(&stage.rotate(), "").ok();
    stage.law();
}

#[test]
fn somebody_elses_edit_is_not_undone() {
    let stage = Stage::set(Format::Sops);
    let line = format!("secret rotate headplane-api-key {} {SOCKET} --json", stage.flags);
    stage.bench.meshctl(&line, "").ok();
    stage.bench.write("new", "5");
    stage.bench.secret("set --file v.yml --var other --age-identity age.key --value-file new").ok();
    let edited = stage.bench.read("v.yml");
    assert_eq!(stage.bench.secret(&format!("abort {SOCKET}")).refusal(), "file_changed");
    assert_eq!(stage.bench.read("v.yml"), edited);
    assert_eq!(stage.keys().len(), 2);
}

#[test]
fn a_key_of_another_time_is_no_key_of_ours() {
    let stage = Stage::set(Format::Vault);
    stage.bench.write("new", &format!("mk-api-1-{}", "A".repeat(43)));
    stage.bench.secret(&format!("set {} --value-file new", stage.flags)).ok();
    let line = format!("secret rotate headplane-api-key {} {SOCKET} --json", stage.flags);
    let waits = stage.bench.meshctl(&line, "").ok().json();
    assert_eq!(waits["old"], Value::Null, "another key of the same id would have been voided");
    assert_eq!(stage.keys().len(), 2);
}

#[test]
fn another_server_is_not_taken_for_the_first() {
    let (stage, other) = (Stage::set(Format::Vault), Stage::set(Format::Vault));
    let line = format!("secret rotate headplane-api-key {} {SOCKET} --json", stage.flags);
    stage.bench.meshctl(&line, "").ok();
    let socket = other.bench.path("mesh-data/control.sock");
    for verb in ["resume", "abort"] {
        assert_eq!(
            stage.bench.secret(&format!("{verb} --socket {}", socket.display())).refusal(),
            "other_server"
        );
    }
    assert_eq!((stage.keys().len(), other.keys().len()), (2, 1));
}

#[test]
fn role_keys_and_plain_secrets_rotate_too() {
    let stage = Stage::set(Format::Vault);
    let policy = r#"{"tagOwners": {"tag:web": []}, "acls": []}"#;
    stage.bench.write("policy.hujson", policy);
    stage.bench.meshctl(&format!("policy set policy.hujson {SOCKET}"), "").ok();
    stage.bench.meshctl(&format!("role set web --tag tag:web {SOCKET}"), "").ok();
    let flags = "--file v.yml --vault-password-file pass";
    let role = format!("rotate role-key --role web --var web_key {flags} --deploy true {SOCKET}");
    let valid = || {
        let keys = stage.bench.meshctl(&format!("key list --json {SOCKET}"), "").ok().json();
        keys["keys"].as_array().unwrap().iter().filter(|k| k["revoked"].is_null()).count()
    };
    for _ in 0..2 {
        assert_eq!(stage.bench.secret(&role).ok().json()["state"], "done");
        assert_eq!(valid(), 1);
        killed_at(&stage, &format!("secret {role}"), "created", Duration::ZERO);
        stage.bench.secret(&format!("resume {SOCKET}")).ok();
        assert_eq!(valid(), 1);
    }
    stage.bench.write("new", "a new value");
    let plain = format!("rotate plain --var other {flags} --value-file new --deploy true");
    assert_eq!(stage.bench.secret(&plain).code, 2);
    stage.bench.secret(&format!("{plain} --verify-command 'test -f new' --retire 'touch retired'")).ok();
    assert!(stage.bench.path("retired").exists());
    assert_eq!(stage.bench.secret(&format!("get --var other {flags}")).ok().json()["value"], "a new value");
}
