//! The program itself as a process of its own, so that it can be killed.

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{admin::Admin, house::PATIENCE};

/// A running `meshctl server run`; killed when dropped.
pub struct Binary {
    child: Child,
    pub at: harness::Server,
    pub admin: Admin,
}

/// Where the program is: `MESHCTL_BIN`, or beside the tests.
fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("MESHCTL_BIN") {
        return path.into();
    }
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(Path::parent).unwrap().join("meshctl");
    assert!(path.exists(), "{} is missing: cargo build -p meshctl, or set MESHCTL_BIN", path.display());
    path
}

/// The process alone; its log goes to `server.log` in the folder, behind what is there.
pub fn launch(folder: &Path, address: SocketAddr, log: &str) -> Child {
    let config = folder.join("config.yaml");
    std::fs::write(&config, "relay:\n  enabled: false\nleaving_grace: 1s\nadmin:\n  listen: 127.0.0.1:0\n")
        .unwrap();
    let output = File::options().create(true).append(true).open(folder.join("server.log")).unwrap();
    // A file that may not grow is an error to the program, and no signal that ends it.
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(program())
        .args(["server", "run", "--log", log, "--json"])
        .args(["--listen", &address.to_string()])
        .arg("--config")
        .arg(config)
        .arg("--data-dir")
        .arg(folder.join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(output)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

impl Binary {
    /// Starts it and waits until it serves.
    pub async fn start(folder: &Path, address: SocketAddr, log: &str) -> Self {
        let mut child = launch(folder, address, log);
        let stdout = child.stdout.take().unwrap();
        let mut line = String::new();
        let read = timeout(PATIENCE, BufReader::new(stdout).read_line(&mut line)).await;
        read.expect("it does not say that it serves").unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|e| {
            let log = std::fs::read_to_string(folder.join("server.log")).unwrap();
            panic!("{e} in {line:?}; its log: {log}")
        });
        let admin = Admin::local(ready["socket"].as_str().unwrap().into());
        Self { child, at: crate::house::find(address).await, admin }
    }

    /// For those who set limits from outside.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Waits until it ends by itself.
    pub async fn ended(mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }

    /// Without a warning.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// In order.
    pub async fn stop(mut self) -> ExitStatus {
        let pid = nix::unistd::Pid::from_raw(self.child.id().unwrap().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        timeout(PATIENCE, self.child.wait()).await.expect("it does not stop").unwrap()
    }
}
