//! nginx on a host, bound to one address.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::OF_A_STORY;
use crate::host::Host;
use crate::patience::until;
use crate::process::Process;

/// A web server with one page. Dropping it ends it.
pub struct Web {
    process: Process,
}

impl Web {
    /// Serves `words` at `address` to who asks under `name`; another name gets another page. Waits until it listens.
    pub fn start(host: &Host, address: Ipv4Addr, name: &str, words: &str) -> Result<Self> {
        let config = write(host, address, name, words)?;
        let mut web = Self { process: host.spawn("nginx", &command(&config), &[OF_A_STORY])? };
        until(Duration::from_secs(10), "nginx to listen", || {
            if !web.runs()? {
                bail!("nginx has ended: {}", web.process.logged()?);
            }
            Ok(host.listens(address, 80)?.then_some(()))
        })?;
        Ok(web)
    }

    /// The same, tried again and again until the address can be bound, as a service manager does with a unit that
    /// is restarted on failure. Returns at once.
    pub fn insist(host: &Host, address: Ipv4Addr, name: &str, words: &str) -> Result<Self> {
        let config = write(host, address, name, words)?;
        let words = command(&config);
        let script = "until \"$@\"; do sleep 0.3; done";
        let all: Vec<&str> = ["sh", "-c", script, "sh"].into_iter().chain(words).collect();
        Ok(Self { process: host.spawn("nginx", &all, &[OF_A_STORY])? })
    }

    /// Tries once to serve at `address`, and gives what nginx said when it could not. An error when it could.
    pub fn refused(host: &Host, address: Ipv4Addr) -> Result<String> {
        let config = write(host, address, "x", "x")?;
        let mut process = host.spawn("nginx", &command(&config), &[OF_A_STORY])?;
        let ended =
            process.wait(Duration::from_secs(10)).context("nginx has bound an address that is not there")?;
        if ended.success() {
            bail!("nginx has bound an address that is not there");
        }
        process.logged()
    }

    pub fn runs(&mut self) -> Result<bool> {
        self.process.runs()
    }
}

fn command(config: &Path) -> [&str; 5] {
    ["nginx", "-e", "stderr", "-c", config.to_str().unwrap_or_default()]
}

fn write(host: &Host, address: Ipv4Addr, name: &str, words: &str) -> Result<PathBuf> {
    let dir = host.dir().join("nginx");
    fs::create_dir_all(&dir)?;
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {}/{kind};\n", dir.display()))
        .concat();
    let text = format!(
        "daemon off;\nmaster_process off;\npid {0}/pid;\nevents {{}}\nhttp {{\n  access_log off;\n{temporary}\
         \x20 server {{ listen {address}:80 default_server; return 404 \"no such site\\n\"; }}\n\
         \x20 server {{ listen {address}:80; server_name {name} {name}.{1} {address}; \
         default_type text/plain; return 200 \"{words}\\n\"; }}\n}}\n",
        dir.display(),
        super::DOMAIN
    );
    let file = dir.join("nginx.conf");
    fs::write(&file, text)?;
    Ok(file)
}
