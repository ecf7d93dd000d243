//! One command on a machine, by the system's own `ssh`: its agent, its known hosts, its configuration. Nothing is asked and no
//! unknown host is trusted. What is secret goes to the standard input.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use super::hosts::Host;

/// What came of it.
pub fn run(host: &Host, config: Option<&Path>, script: &str, secret: &[u8]) -> Result<String, String> {
    let mut ssh = Command::new("ssh");
    ssh.args(words(host, config, script)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = ssh.spawn().map_err(|e| format!("ssh: {e}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A host that does not answer says so by the end of ssh.
        let _ = stdin.write_all(secret);
    }
    let output = child.wait_with_output().map_err(|e| format!("ssh: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(format!("{}: {last}", host.ssh))
}

fn words(host: &Host, config: Option<&Path>, script: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    if let Some(config) = config {
        words.extend(["-F".to_owned(), config.display().to_string()]);
    }
    let options =
        ["BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=10", "ServerAliveInterval=5"];
    words.push("-T".to_owned());
    words.extend(options.iter().flat_map(|option| ["-o".to_owned(), (*option).to_owned()]));
    if let Some(port) = host.port {
        words.extend(["-p".to_owned(), port.to_string()]);
    }
    if !host.jump.is_empty() {
        words.extend(["-J".to_owned(), host.jump.join(",")]);
    }
    words.extend(["--".to_owned(), host.ssh.clone(), script.to_owned()]);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_hosts_are_refused_and_jumps_are_in_order() {
        let host = Host {
            node: "r".into(),
            ssh: "root@r".into(),
            port: Some(2222),
            jump: vec!["a".into(), "b:22".into()],
            up: Vec::new(),
        };
        let line = words(&host, None, "true").join(" ");
        assert!(line.contains("StrictHostKeyChecking=yes") && line.contains("BatchMode=yes"), "{line}");
        assert!(line.ends_with("-p 2222 -J a,b:22 -- root@r true"), "{line}");
    }
}
