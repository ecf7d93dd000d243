//! Where machines are reached when the mesh is not there.

use std::path::Path;

use serde::Deserialize;

use crate::talk::{Failure, read_text};

/// A file of hosts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hosts {
    /// Each once.
    #[serde(default)]
    pub hosts: Vec<Host>,
}

/// One machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Its name in the mesh.
    pub node: String,
    /// `user@host`, outside the mesh.
    pub ssh: String,
    /// The port of its SSH server.
    #[serde(default)]
    pub port: Option<u16>,
    /// Hosts on the way, in order: `user@host` or `user@host:port`.
    #[serde(default)]
    pub jump: Vec<String>,
    /// Further flags of `tailscale up` that this machine had, such as `--ssh` or `--accept-routes`.
    #[serde(default)]
    pub up: Vec<String>,
}

impl Hosts {
    /// Reads a file; nothing in it may become a flag of ssh.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let wrong = |why: String| {
            Failure::usage(format!("{}: {why}", path.display()))
                .hint("hosts: [{node: router-1, ssh: root@198.51.100.7, jump: [ops@bastion.example.com]}]")
        };
        let hosts: Self = serde_yaml::from_str(&read_text(path)?).map_err(|e| wrong(e.to_string()))?;
        for host in &hosts.hosts {
            let mut places = std::iter::once(&host.ssh).chain(&host.jump);
            if let Some(bad) = places.find(|place| !is_place(place)) {
                return Err(wrong(format!("{bad:?} is no place of SSH")));
            }
            if let Some(bad) = host.up.iter().find(|flag| !flag.starts_with("--") || flag.contains("auth")) {
                return Err(wrong(format!("{bad:?} is no flag that belongs here")));
            }
        }
        Ok(hosts)
    }
    /// Where this machine is.
    pub fn of(&self, node: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.node == node)
    }
}

fn is_place(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@.-_:[]%".contains(c);
    !text.is_empty() && !text.starts_with('-') && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_a_flag_or_another_word() {
        for good in ["root@198.51.100.7", "ops@bastion.example.com:2222", "root@[2001:db8::1]", "web-1"] {
            assert!(is_place(good), "{good}");
        }
        for bad in ["", "-oProxyCommand=sh", "a b", "a;b", "a,b", "$(id)"] {
            assert!(!is_place(bad), "{bad}");
        }
    }
}
