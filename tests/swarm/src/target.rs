//! The server under test: one that swarm starts and may look into, or one that somebody else runs.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use ident::Secret;
use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::{
    args::{RunArgs, program},
    gauge::{Gauge, Handles, Memory},
    here::Host,
    server::{Admin, Server},
    topology::{Phase, Topology},
};

/// Loopback addresses that clients of our own servers come from.
const SOURCES: u8 = 16;

/// Whom the clients talk to, and where their keys come from.
pub struct Target {
    url: String,
    /// Whom to trust, when the URL is one of https.
    tls: Option<Arc<ClientConfig>>,
    pub keys: Keys,
    server: Option<Server>,
    gauge: Option<Gauge>,
}

/// How servers are started.
#[derive(Clone)]
pub enum Launch {
    /// Each as a process of this program.
    Program(PathBuf),
    /// All in this process.
    Here(Arc<dyn Host>),
}

/// Lets devices in.
#[derive(Clone)]
pub enum Keys {
    /// A fresh one each.
    Minted(Admin),
    /// One for each kind of device (where people have devices, for each person), or one for all.
    Given(Arc<[Secret<String>]>),
}

/// What lets one device in.
pub enum Pass {
    Key(Secret<String>),
    /// Somebody who says that the device is this person's.
    Person(Admin, String),
}

impl Target {
    /// A fresh server of this program with these settings, with the policy of the topology in force.
    pub async fn spawn(program: &Path, topology: Topology, settings: &str) -> Result<Self> {
        Self::launch(&Launch::Program(program.to_owned()), topology, settings).await
    }

    /// A fresh server with these settings, with the policy of the topology in force.
    pub async fn launch(launch: &Launch, topology: Topology, settings: &str) -> Result<Self> {
        let server = match launch {
            Launch::Program(program) => Server::spawn(program, settings).await?,
            Launch::Here(host) => Server::here(&**host, settings).await?,
        };
        let admin = server.admin()?;
        admin.prepare(topology).await.with_context(|| server.log())?;
        Ok(Self {
            url: server.url.clone(),
            tls: None,
            keys: Keys::Minted(admin),
            gauge: Some(server.gauge()),
            server: Some(server),
        })
    }

    /// What the command line names.
    pub async fn of(args: &RunArgs) -> Result<Self> {
        match (&args.server, &args.key_file) {
            (Some(url), Some(file)) => {
                let (keys, tls) = (Keys::read(file, args.topology)?, tls(url, args.ca.as_deref())?);
                let gauge = args.server_pid.map(Gauge::of);
                Ok(Self { url: url.clone(), tls, keys, server: None, gauge })
            }
            _ => Self::spawn(&program(args.fleet.spawn.as_ref())?, args.topology, "").await,
        }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The server as clients find it.
    pub async fn find(&self) -> Result<harness::Server> {
        let found = harness::Server::find(&self.url, self.tls.clone()).await;
        let found = found.with_context(|| format!("no server at {}", self.url))?;
        let Some(server) = &self.server else { return Ok(found) };
        Ok(match server.pipes() {
            Some(pipes) => found.through(pipes),
            None => found.from_addresses(SOURCES),
        })
    }

    /// A running server, with keys of its own and a process on this machine.
    pub fn given(url: &str, keys: Keys, pid: u32) -> Self {
        Self { url: url.to_owned(), keys, tls: None, server: None, gauge: Some(Gauge::of(pid)) }
    }

    /// Its process, when that is known.
    pub fn gauge(&self) -> Option<Gauge> {
        self.gauge
    }

    /// Puts the policy of this phase in force.
    pub async fn set_policy(&self, topology: Topology, phase: Phase) -> Result<()> {
        match &self.keys {
            Keys::Minted(admin) => admin.set_policy(topology.policy(phase)).await,
            Keys::Given(_) => bail!("the policy of a server given by --server is not ours to change"),
        }
    }

    /// CPU time used so far, of a server whose process is known.
    pub fn cpu(&self) -> Result<Option<Duration>> {
        self.gauge.map(Gauge::cpu).transpose()
    }

    /// Likewise its memory.
    pub fn memory(&self) -> Result<Option<Memory>> {
        self.gauge.map(Gauge::memory).transpose()
    }

    /// Likewise its open files and threads.
    pub fn handles(&self) -> Result<Option<Handles>> {
        self.server.as_ref().map(|s| s.gauge().handles()).transpose()
    }

    /// What came of a run, unless the server has ended.
    pub fn close<T>(mut self, outcome: Result<T>) -> Result<T> {
        let Some(server) = &mut self.server else { return outcome };
        let ended = server.ended()?;
        ensure!(ended.is_none(), "the server ended: {ended:?}\n{}", server.log());
        outcome.with_context(|| server.log())
    }
}

/// Whom clients of this URL trust: nobody but these roots.
fn tls(url: &str, roots: Option<&Path>) -> Result<Option<Arc<ClientConfig>>> {
    let secure = url.starts_with("https://");
    let Some(file) = roots.filter(|_| secure) else {
        ensure!(!secure, "{url} needs --ca with the certificates to trust");
        ensure!(roots.is_none(), "--ca is for https, and this is {url}");
        return Ok(None);
    };
    let read = || CertificateDer::pem_file_iter(file)?.collect::<Result<Vec<_>, _>>();
    let roots = read().with_context(|| file.display().to_string())?;
    ensure!(!roots.is_empty(), "{} holds no certificate", file.display());
    harness::trusting(&roots).map(Some)
}

impl Keys {
    /// Those that a file holds, one a line.
    pub fn read(file: &Path, topology: Topology) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        Self::given(&text, topology).with_context(|| file.display().to_string())
    }

    fn given(text: &str, topology: Topology) -> Result<Self> {
        let lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
        let keys: Arc<[_]> = lines.map(|l| Secret::new(l.to_owned())).collect();
        let (wanted, name) = (topology.kinds(), topology.name());
        if topology.person(0).is_some() {
            ensure!(!keys.is_empty(), "topology {name} needs a key of each person, here is none");
            return Ok(Self::Given(keys));
        }
        let single = topology == Topology::Mesh && keys.len() == 1;
        ensure!(
            single || keys.len() == wanted,
            "topology {name} needs {wanted} keys, here are {}",
            keys.len()
        );
        Ok(Self::Given(keys))
    }

    /// What lets a device of this kind in. Whether given ones are ephemeral, only the server knows.
    pub async fn pass(&self, topology: Topology, kind: usize, ephemeral: bool) -> Result<Pass> {
        match (self, topology.person(kind)) {
            (Self::Minted(admin), Some(login)) => Ok(Pass::Person(admin.clone(), login)),
            (Self::Minted(admin), None) => admin.mint(kind, ephemeral).await.map(Pass::Key),
            (Self::Given(keys), person) => {
                let shared = keys.first().filter(|_| person.is_none());
                let key = keys.get(kind).or(shared);
                let key = key.with_context(|| format!("{} has no key", person.unwrap_or_default()))?;
                Ok(Pass::Key(Secret::new(key.expose().to_owned())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_goes_with_roots_and_http_without() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = |url, roots| tls(url, roots).unwrap_err().to_string();
        assert!(refused("https://mesh.test", None).contains("--ca"));
        assert!(refused("http://mesh.test", Some(file.path())).contains("https"));
        assert!(refused("https://mesh.test", Some(file.path())).contains("no certificate"));
        assert!(tls("http://mesh.test", None).unwrap().is_none());
    }

    #[tokio::test]
    async fn a_key_for_each_kind_or_one_for_a_mesh() {
        let one = Keys::given("\n only \n", Topology::Mesh).unwrap();
        let key = async |keys: &Keys, kind| match keys.pass(Topology::Mesh, kind, true).await.unwrap() {
            Pass::Key(key) => key.expose().to_owned(),
            Pass::Person(_, login) => login,
        };
        assert_eq!(key(&one, 7).await, "only");
        let hub = Keys::given("a\nb\nc\n", Topology::Hub).unwrap();
        assert_eq!(key(&hub, 2).await, "c");
        assert!(Keys::given("a\n", Topology::Hub).is_err());
        assert!(Keys::given("", Topology::Mesh).is_err());
        let people = Keys::given("a\nb\n", Topology::Own).unwrap();
        assert!(people.pass(Topology::Own, 1, true).await.is_ok());
        let nobody = people.pass(Topology::Own, 2, true).await.err().unwrap();
        assert_eq!(nobody.to_string(), "swarm-2 has no key");
        assert!(Keys::given("", Topology::Own).is_err());
    }
}
