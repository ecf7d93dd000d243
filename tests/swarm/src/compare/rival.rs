//! Somebody else's servers as processes of their own, with fresh data on loopback.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::sleep,
};

use crate::{
    server::free_port,
    topology::{Phase, Topology, tag},
};

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running server. Dropping it kills the process and removes its data.
pub struct Rival {
    pub pid: u32,
    pub address: SocketAddr,
    /// UDP port of address questions, where there are any.
    pub stun: u16,
    /// headscale's keys, one a line.
    pub key_file: PathBuf,
    /// headscale's API key.
    pub api_key_file: PathBuf,
    _child: Child,
    _folder: TempDir,
}

impl Rival {
    /// headscale with the committed configuration, the policy of this topology, and a key for each kind of device; where
    /// people have devices, for each person that so many devices need.
    pub async fn headscale(
        programs: &Path,
        configs: &Path,
        tuned: bool,
        topology: Topology,
        devices: usize,
    ) -> Result<Self> {
        let program = programs.join("headscale");
        let folder = tempfile::Builder::new().prefix("swarm-headscale-").tempdir()?;
        let [http, metrics, grpc] = [free_port(), free_port(), free_port()];
        let mut config = fs::read_to_string(configs.join("config.yaml"))?;
        if tuned {
            config.push_str(&fs::read_to_string(configs.join("tuned.yaml"))?);
        }
        let data = folder.path().display().to_string();
        for (name, value) in [("HTTP", http), ("METRICS", metrics), ("GRPC", grpc)] {
            config = config.replace(&format!("127.0.0.1:{name}"), &format!("127.0.0.1:{value}"));
        }
        let path = folder.path().join("config.yaml");
        fs::write(&path, config.replace("DATA", &data))?;
        fs::copy(configs.join("derp.yaml"), folder.path().join("derp.yaml"))?;
        fs::write(folder.path().join("policy.json"), topology.policy(Phase::Whole))?;
        let mut serve = Command::new(&program);
        serve.arg("serve").arg("--config").arg(&path);
        let rival = Self::start(serve, folder, http, 0).await?;
        let line = CommandLine { program: &program, config: &path };
        let kinds = if topology.person(0).is_some() { topology.kind(devices) + 1 } else { topology.kinds() };
        let mut keys = String::new();
        for kind in 0..kinds {
            keys += &match topology.person(kind) {
                Some(login) => line.key_of(&login).await?,
                None => line.key(&["--tags", &tag(kind)]).await?,
            };
            keys.push('\n');
        }
        fs::write(&rival.key_file, keys)?;
        fs::write(&rival.api_key_file, line.api_key().await?)?;
        Ok(rival)
    }

    /// derper that lets anybody in, with a certificate of its own.
    pub async fn derper(programs: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("swarm-derper-").tempdir()?;
        let (port, stun) = (free_port(), free_port());
        let mut serve = Command::new(programs.join("derper"));
        serve.args(["-a", &format!("127.0.0.1:{port}"), "-http-port", "-1"]);
        serve.args(["-stun-port", &stun.to_string(), "-hostname", "127.0.0.1", "-certmode", "manual"]);
        serve.arg("-certdir").arg(folder.path()).arg("-c").arg(folder.path().join("derper.key"));
        Self::start(serve, folder, port, stun).await
    }

    async fn start(mut serve: Command, folder: TempDir, port: u16, stun: u16) -> Result<Self> {
        let log = File::create(folder.path().join("log"))?;
        let mut child = serve
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{:?} cannot be started", serve.as_std().get_program()))?;
        let pid = child.id().context("a process id")?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = child.try_wait()?;
            if ended.is_some() || start.elapsed() > READY_WITHIN {
                let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                bail!("{:?} does not get ready: {log}", serve.as_std().get_program());
            }
            sleep(Duration::from_millis(50)).await;
        }
        let [key_file, api_key_file] = ["keys", "api-key"].map(|name| folder.path().join(name));
        Ok(Self { pid, address, stun, key_file, api_key_file, _child: child, _folder: folder })
    }
}

/// headscale's own program, asking the server that runs.
struct CommandLine<'a> {
    program: &'a Path,
    config: &'a Path,
}

impl CommandLine<'_> {
    async fn ask(&self, words: &[&str]) -> Result<serde_json::Value> {
        let mut asked = Command::new(self.program);
        let asked = asked.arg("--config").arg(self.config).args(words).args(["--output", "json"]);
        let answer = asked.output().await?;
        let complaint = String::from_utf8_lossy(&answer.stderr);
        ensure!(answer.status.success(), "headscale {}: {complaint}", words.join(" "));
        serde_json::from_slice(&answer.stdout).with_context(|| format!("what headscale says of {words:?}"))
    }

    /// A key for devices of this kind.
    async fn key(&self, whose: &[&str]) -> Result<String> {
        let words = [&["preauthkeys", "create", "--reusable", "--ephemeral"], whose].concat();
        let key = self.ask(&words).await?;
        Ok(key["key"].as_str().context("a key in headscale's answer")?.to_owned())
    }

    /// A key for the devices of a person, whom it makes.
    async fn key_of(&self, login: &str) -> Result<String> {
        let made = self.ask(&["users", "create", login]).await?;
        let id = made["id"].as_u64().map(|id| id.to_string());
        let id = id.or_else(|| made["id"].as_str().map(str::to_owned));
        self.key(&["--user", &id.context("the number of headscale's user")?]).await
    }

    async fn api_key(&self) -> Result<String> {
        let key = self.ask(&["apikeys", "create", "--expiration", "24h"]).await?;
        Ok(key.as_str().context("headscale's API key")?.to_owned())
    }
}

/// How headscale is configured, to be printed with what came of it.
pub fn configuration(configs: &Path) -> Result<String> {
    let mut text = String::new();
    for name in ["config.yaml", "tuned.yaml"] {
        let path = configs.join(name);
        text += &fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    }
    Ok(text)
}
