//! One command on a machine, by the system's own `ssh`: its agent, its known hosts, its configuration. Nothing is asked and no
//! unknown host is trusted, the hosts on the way included. What is secret goes to the standard input.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use control::backup::Scratch;

use super::hosts::Host;

/// In front of what the operator has configured: of each option, ssh takes the first that it meets.
const OURS: &str = "BatchMode yes
StrictHostKeyChecking yes
ConnectTimeout 10
ServerAliveInterval 5
";

/// What came of it.
pub fn run(host: &Host, config: Option<&Path>, script: &str, secret: &[u8]) -> Result<String, String> {
    let folder = Scratch::inside(&std::env::temp_dir()).map_err(|e| format!("a folder for ssh: {e}"))?;
    let file = folder.path().join("config");
    fs::write(&file, configuration(config)?).map_err(|e| format!("{}: {e}", file.display()))?;
    let mut ssh = Command::new("ssh");
    ssh.args(words(host, &file, script)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
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
    Err(format!("{}: {}", host.ssh, cause(&said)))
}

/// The line that says why. Behind a jump the last one only says that the connection was closed.
fn cause(said: &str) -> &str {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let refused =
        lines().find(|line| line.contains("verification failed") || line.contains("Permission denied"));
    refused.or_else(|| lines().next_back()).unwrap_or("it said nothing")
}

/// A file rather than options, because ssh hands the file on to the one that it starts for a jump, and not the options.
fn configuration(config: Option<&Path>) -> Result<String, String> {
    let Some(config) = config else {
        return Ok(format!("{OURS}Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n"));
    };
    let whole = config.canonicalize().map_err(|e| format!("{}: {e}", config.display()))?;
    match whole.to_str() {
        Some(path) if !path.contains(['"', '\n', '*', '?', '[']) => Ok(format!("{OURS}Include \"{path}\"\n")),
        _ => Err(format!("{}: ssh cannot be told of such a path", config.display())),
    }
}

fn words(host: &Host, config: &Path, script: &str) -> Vec<String> {
    let mut words: Vec<String> = vec!["-F".to_owned(), config.display().to_string(), "-T".to_owned()];
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
    fn ours_comes_before_what_is_configured_and_jumps_are_in_order() {
        let host = Host {
            node: "r".into(),
            ssh: "root@r".into(),
            port: Some(2222),
            jump: vec!["a".into(), "b:22".into()],
            up: Vec::new(),
        };
        let line = words(&host, Path::new("/tmp/config"), "true").join(" ");
        assert_eq!(line, "-F /tmp/config -T -p 2222 -J a,b:22 -- root@r true");

        let folder = tempfile::tempdir().unwrap();
        let theirs = folder.path().join("theirs");
        fs::write(&theirs, "StrictHostKeyChecking no\nBatchMode no\nUser ops\n").unwrap();
        let file = folder.path().join("config");
        fs::write(&file, configuration(Some(&theirs)).unwrap()).unwrap();
        let said = Command::new("ssh").arg("-F").arg(&file).args(["-G", "r"]).output().unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        for line in ["stricthostkeychecking true", "batchmode yes", "user ops"] {
            assert!(said.lines().any(|l| l == line), "{line} is not in {said}");
        }
        assert!(configuration(Some(Path::new("/nowhere/config"))).is_err());
    }

    #[test]
    fn the_reason_is_told_and_not_what_follows_from_it() {
        let said = "No ED25519 host key is known for r1\nHost key verification failed.\nConnection closed by UNKNOWN\n";
        assert_eq!(cause(said), "Host key verification failed.");
        assert_eq!(cause("a\nConnection refused\n\n"), "Connection refused");
    }
}
