//! What a lab needs from the machine, said before anything is tried.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use crate::command;

/// Program and the Debian package that brings it.
const PROGRAMS: [(&str, &str); 6] = [
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("iptables", "iptables"),
    ("ping", "iputils-ping"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
];
const TUN: &str = "/dev/net/tun";

/// Fails with a list of all that is missing. Makes the TUN device when only that is missing.
pub fn prerequisites() -> Result<()> {
    let mut missing = Vec::new();
    if !geteuid().is_root() {
        missing.push("root: network namespaces take it".to_owned());
    }
    for (program, package) in PROGRAMS {
        if on_path(program).is_none() {
            missing.push(format!("`{program}` (package {package})"));
        }
    }
    if missing.is_empty()
        && !Path::new(TUN).exists()
        && let Err(why) = make_tun()
    {
        missing.push(format!("{TUN}: {why:#}"));
    }
    if !missing.is_empty() {
        bail!("the lab cannot start, missing: {}", missing.join("; "));
    }
    Ok(())
}

/// The official client and its daemon.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Clients {
    pub tailscale: PathBuf,
    pub tailscaled: PathBuf,
}

impl Clients {
    /// Looks where the build script puts them: `$MESHCTL_CACHE/bin`, else the user's cache folder.
    pub fn find() -> Result<Self> {
        Self::in_folder(&cache().context("neither MESHCTL_CACHE nor HOME is set")?.join("bin"))
    }

    /// Those of an older release, where the build script puts them.
    pub fn find_older() -> Result<Self> {
        Self::in_folder(&cache().context("neither MESHCTL_CACHE nor HOME is set")?.join("bin/older"))
    }

    /// The first of: the two named, those on `PATH`, those of the build script.
    pub fn choose(tailscaled: Option<PathBuf>, tailscale: Option<PathBuf>) -> Result<Self> {
        let named = tailscaled.is_some() || tailscale.is_some();
        let tailscaled = tailscaled.or_else(|| on_path("tailscaled"));
        let tailscale = tailscale.or_else(|| on_path("tailscale"));
        match (tailscaled, tailscale) {
            (Some(tailscaled), Some(tailscale)) => Self { tailscale, tailscaled }.checked(),
            _ if named => {
                bail!("only one of tailscaled and tailscale is named, and the other is not on PATH")
            }
            _ => Self::find(),
        }
    }

    fn in_folder(bin: &Path) -> Result<Self> {
        Self { tailscale: bin.join("tailscale"), tailscaled: bin.join("tailscaled") }.checked()
    }

    /// Paths that hold on every host.
    fn checked(self) -> Result<Self> {
        let whole = |program: PathBuf| {
            if !program.is_file() {
                bail!("{} is not there; build it with tests/clients/go/build", program.display());
            }
            program.canonicalize().with_context(|| format!("cannot resolve {}", program.display()))
        };
        Ok(Self { tailscale: whole(self.tailscale)?, tailscaled: whole(self.tailscaled)? })
    }
}

/// The server under test: `$MESHCTL_BIN`, else the debug build that lies beside the running test.
pub fn server_binary() -> Result<PathBuf> {
    let binary = match env::var_os("MESHCTL_BIN") {
        Some(path) => PathBuf::from(path),
        None => {
            let test = env::current_exe()?;
            let profile = test.ancestors().nth(2).context("the test lies in no target folder")?;
            profile.join("meshctl")
        }
    };
    if !binary.is_file() {
        bail!(
            "{} is not there; build it with `cargo build -p meshctl` or name it in MESHCTL_BIN",
            binary.display()
        );
    }
    binary.canonicalize().context("cannot resolve the path of meshctl")
}

fn cache() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("MESHCTL_CACHE").or_else(|| {
        let users = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
        Some(users.join("meshctl-tests"))
    })
}

pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn make_tun() -> Result<()> {
    fs::create_dir_all("/dev/net")?;
    let mut command = Command::new("mknod");
    command.args(["--mode=666", TUN, "c", "10", "200"]);
    command::run(command, "", Duration::from_secs(5))?.ok().map(drop)
}
