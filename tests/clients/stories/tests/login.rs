//! Tailscale SSH between official clients, as the policy says.
#![cfg(test)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use client_stories::{Browser, Mesh};
use lab::{Clients, Lab, until};

/// Members may log in to workers as root; the port is open to guests too, who may not.
const POLICY: &str = r#"{
  "tagOwners": {"tag:member": [], "tag:worker": [], "tag:guest": []},
  "acls": [{"action": "accept", "src": ["tag:member", "tag:guest"], "dst": ["tag:worker:22"]}],
  "ssh": [
    {"action": "accept", "src": ["tag:member"], "dst": ["tag:worker"], "users": ["root"]},
  ],
}
"#;
const SHORT: Duration = Duration::from_secs(40);

/// What a login from one host to another gives: success, and both streams.
fn login(mesh: &Mesh<'_>, from: &str, user: &str, to: &str) -> Result<(bool, String)> {
    let target = format!("{user}@{to}");
    let output =
        mesh.client(from)?.tailscale(&["ssh", &target, "echo in as $(id -un) on $(uname -n)"], SHORT)?;
    Ok((output.success(), output.stdout + &output.stderr))
}

fn served(lab: &Lab) -> Mesh<'_> {
    let mut mesh = Mesh::start(lab).unwrap();
    mesh.server.set_policy(POLICY).unwrap();
    mesh.join("member", &["c1"]).unwrap();
    mesh.join("guest", &["c2"]).unwrap();
    mesh.join("worker", &["c3"]).unwrap();
    mesh.client("c3").unwrap().tailscale(&["set", "--ssh"], SHORT).unwrap().ok().unwrap();
    for host in ["c1", "c2"] {
        mesh.await_peers(host, &["c3"]).unwrap();
    }
    mesh
}

#[test]
fn who_is_allowed_gets_in_and_nobody_else() {
    let lab = Lab::start().unwrap();
    let mesh = served(&lab);
    let worker = mesh.client("c3").unwrap();

    // the peers learn the keys of the worker's SSH server before anybody can log in
    let (_, said) = until(SHORT, "the member to get in", || {
        let (is_in, said) = login(&mesh, "c1", "root", "c3")?;
        if !is_in {
            bail!("{said}");
        }
        Ok(Some((is_in, said)))
    })
    .unwrap();
    assert!(said.contains("in as root on c3"), "{said}");
    assert!(worker.logged().unwrap().contains("access granted"), "the worker's own log");

    for (from, user) in [("c2", "root"), ("c1", "daemon")] {
        let (is_in, said) = login(&mesh, from, user, "c3").unwrap();
        assert!(!is_in && !said.contains("in as"), "{from} as {user}: {said}");
        assert!(said.contains("tailnet policy does not permit"), "{from} as {user}: {said}");
    }
}

#[test]
fn a_login_that_is_to_be_checked_waits_for_a_person() {
    let lab = Lab::start().unwrap();
    let mut mesh = Mesh::start_for_browsers(&lab).unwrap();
    mesh.server
        .set_policy(&POLICY.replacen(
            "accept\", \"src\": [\"tag:member\"], \"dst\": [\"tag:worker\"]",
            "check\", \"src\": [\"tag:member\"], \"dst\": [\"tag:worker\"]",
            1,
        ))
        .unwrap();
    mesh.join("member", &["c1"]).unwrap();
    mesh.join("worker", &["c3"]).unwrap();
    mesh.client("c3").unwrap().tailscale(&["set", "--ssh"], SHORT).unwrap().ok().unwrap();
    mesh.await_peers("c1", &["c3"]).unwrap();
    until(SHORT, "the keys of the worker's SSH server", || {
        let known =
            mesh.client("c1")?.peer("c3")?["sshHostKeys"].as_array().is_some_and(|keys| !keys.is_empty());
        Ok(known.then_some(()))
    })
    .unwrap();

    let host = lab.host("c1").unwrap();
    let program = Clients::find().unwrap().tailscale.to_string_lossy().into_owned();
    let socket = format!("--socket={}", host.dir().join("tailscaled.sock").display());
    let words = [program.as_str(), &socket, "ssh", "root@c3", "echo in as $(id -un) on $(uname -n)"];
    let mut ssh = host.spawn("ssh", &words, &[]).unwrap();
    let page = until(SHORT, "the page to be shown", || {
        let log = ssh.logged()?;
        Ok(log.split_whitespace().find(|word| word.contains("/ssh/")).map(str::to_owned))
    })
    .unwrap();
    let browser = Browser::start(lab.host("c2").unwrap()).unwrap();
    browser.open(&page).unwrap();
    browser.write("#key", &mesh.api_key().unwrap()).unwrap();
    browser.press("#enter").unwrap();
    assert!(browser.text("dl").unwrap().contains("c3.mesh.internal"));
    assert!(!ssh.logged().unwrap().contains("in as"), "nobody has confirmed it");
    browser.press("#yes").unwrap();
    assert!(ssh.wait(SHORT).unwrap().success(), "{}", ssh.logged().unwrap());
    assert!(ssh.logged().unwrap().contains("in as root on c3"));
}

#[test]
fn a_right_that_is_taken_away_is_gone() {
    let lab = Lab::start().unwrap();
    let mesh = served(&lab);
    until(SHORT, "the member to get in", || Ok(login(&mesh, "c1", "root", "c3")?.0.then_some(()))).unwrap();

    let principals = |wanted: usize| {
        until(SHORT, "the worker to hear of it", || {
            let rules = mesh.client("c3")?.netmap()?["SSHPolicy"]["rules"].as_array().map_or(0, Vec::len);
            Ok((rules == wanted).then_some(()))
        })
    };
    principals(1).unwrap();
    let (head, _) = POLICY.split_once("  \"ssh\"").unwrap();
    mesh.server.set_policy(&format!("{head}}}")).unwrap();
    principals(0).unwrap();
    assert!(!login(&mesh, "c1", "root", "c3").unwrap().0);
}

#[test]
fn a_session_is_recorded_or_does_not_begin() {
    let lab = Lab::start().unwrap();
    let mut mesh = Mesh::start(&lab).unwrap();
    mesh.server
        .set_policy(
            r#"{
                "tagOwners": {"tag:member": [], "tag:worker": [], "tag:guest": []},
                "acls": [
                    {"action": "accept", "src": ["tag:member"], "dst": ["tag:worker:22"]},
                    {"action": "accept", "src": ["tag:worker"], "dst": ["tag:guest:80"]},
                ],
                "ssh": [{
                    "action": "accept", "src": ["tag:member"], "dst": ["tag:worker"], "users": ["root"],
                    "recorder": ["tag:guest"], "enforceRecorder": true,
                }],
            }"#,
        )
        .unwrap();
    mesh.join("guest", &["c2"]).unwrap();
    mesh.join("worker", &["c3"]).unwrap();
    mesh.join("member", &["c1"]).unwrap();
    mesh.client("c3").unwrap().tailscale(&["set", "--ssh"], SHORT).unwrap().ok().unwrap();
    mesh.await_peers("c3", &["c1", "c2"]).unwrap();

    let said = |wanted: &str| {
        until(SHORT, wanted, || {
            let (_, said) = login(&mesh, "c1", "root", "c3")?;
            Ok(said.contains(wanted).then_some(said))
        })
        .unwrap()
    };
    let refused = said("this session must be recorded, and no recorder answers");
    assert!(!refused.contains("in as"), "{refused}");

    let recorder = lab.host("c2").unwrap().in_network(|| TcpListener::bind("0.0.0.0:80")).unwrap().unwrap();
    let recording = thread::spawn(move || record(&recorder));
    assert!(said("in as root on c3").contains("in as root on c3"));
    let cast = recording.join().unwrap().unwrap();
    let (head, shown) = cast.split_once('\n').unwrap();
    assert!(head.contains("\"version\":2") && head.contains("root"), "{head}");
    assert!(shown.contains("in as root on c3"), "{shown}");
}

/// What a recorder of the first kind is sent, whole, of the first session that is announced; whoever asks for the second
/// kind is hung up on.
fn record(recorder: &TcpListener) -> Result<String> {
    for line in recorder.incoming() {
        let mut line = line?;
        line.set_read_timeout(Some(SHORT))?;
        let mut reader = BufReader::new(line.try_clone()?);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
        if head.starts_with("POST /record ") {
            line.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            let cast = chunks(&mut reader)?;
            line.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
            return Ok(cast);
        }
    }
    bail!("nobody came")
}

/// A body of chunks, each behind its length in hexadecimal.
fn chunks(reader: &mut BufReader<TcpStream>) -> Result<String> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16).with_context(|| format!("a length: {line:?}"))?;
        let mut chunk = vec![0; length + 2];
        reader.read_exact(&mut chunk)?;
        body.extend(chunk.get(..length).unwrap_or_default());
        if length == 0 {
            return Ok(String::from_utf8(body)?);
        }
    }
}
