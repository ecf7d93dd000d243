//! What every door of the server shares: the World to read, the writer to ask, the keys to check with.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use api::Declared;
use arc_swap::ArcSwap;
use ident::{ApiKeyId, AuthKeyId, MachineKey};
use jiff::Timestamp;
use tokio::sync::{Mutex, mpsc, oneshot};
use wire::DerpMap;
use world::{ApiKey, KeyProof};

use crate::{
    calls::Calls,
    certificate::Certificate,
    config::{Config, NotReloaded},
    fanout::Hub,
    keyring::{Keyring, present},
    metrics::Metrics,
    pending::{Code, Pending},
    quota::CallLimits,
    records::RecordsFile,
    relay::Relay,
    reports::Reports,
    security::SecurityLog,
    store::Store,
    verdict::Verdict,
    writer::Writer,
};

/// Handed to every listener's routes.
pub struct Doors {
    /// The World and who watches it.
    pub hub: Arc<Hub>,
    /// What is asked of live nodes.
    pub calls: Arc<Calls>,
    /// The only one who changes it.
    pub writer: Writer,
    /// For history only.
    pub store: Arc<Store>,
    /// For checking what is presented and minting what is handed out.
    pub keyring: Arc<Keyring>,
    /// The relay, if it is on.
    pub relay: Option<Arc<Relay>>,
    /// Where strangers' failures go.
    pub security: SecurityLog,
    /// What callers of the admin API may do how often.
    pub limits: CallLimits,
    /// What came of calls, counted.
    pub metrics: Metrics,
    /// Held while a backup is made or a key of the server changes: one at a time.
    pub backups: Arc<Mutex<()>>,
    /// Where metrics and health are served, if they are.
    pub monitor: Option<SocketAddr>,
    /// What is wrong with the policy in force.
    pub verdict: Arc<Verdict>,
    /// Devices that wait to be let in.
    pub pending: Arc<Pending>,
    /// What agents on nodes said last.
    pub reports: Arc<Reports>,
    /// The watched file of extra names.
    pub records: Arc<RecordsFile>,
    /// Where the certificate comes from, if the server has TLS of its own.
    pub certificate: Option<Certificate>,
    /// Names this process among those that share a database.
    pub instance: u64,
    /// When the process began to serve.
    pub started: Timestamp,
    /// What is configured, for all who read it more than once.
    pub live: LiveConfig,
    /// Who reads the configuration again.
    pub reloads: mpsc::Sender<ReloadWish>,
}

/// The configuration in force.
pub type LiveConfig = Arc<ArcSwap<Config>>;

/// Somebody wants the configuration to be read again.
#[derive(Debug)]
pub struct ReloadWish {
    /// Whether nothing is to be applied.
    pub check: bool,
    /// Keys that have other values.
    pub reply: oneshot::Sender<Result<Vec<String>, NotReloaded>>,
}

impl Doors {
    /// What is configured.
    pub fn config(&self) -> Arc<Config> {
        self.live.load_full()
    }

    /// From now on this is.
    pub fn set_config(&self, config: Config) {
        self.live.store(Arc::new(config));
    }

    /// Has the configuration read again and applied; with `check`, only tried. The keys that have other values.
    pub async fn reload(&self, check: bool) -> Result<Vec<String>, NotReloaded> {
        let (reply, outcome) = oneshot::channel();
        let gone = |_| NotReloaded::Failed("the server is stopping, or reloads already".into());
        self.reloads.try_send(ReloadWish { check, reply }).map_err(gone)?;
        let unsaid = |_| NotReloaded::Failed("the server stopped meanwhile".into());
        outcome.await.unwrap_or_else(|e| Err(unsaid(e)))
    }

    /// A presented auth key as the World may see it: an id and a digest. `None` when it has no key's shape.
    pub fn prove(&self, key: &ident::Secret<String>) -> Option<KeyProof> {
        let presented = present("auth", key)?;
        let id = AuthKeyId::new(presented.id).ok()?;
        Some(KeyProof { id, verifier: self.keyring.verifier(&presented.secret) })
    }

    /// The API key that this text is, if it is good now. What it may do is another question.
    pub fn api_key(&self, text: &ident::Secret<String>) -> Option<Arc<ApiKey>> {
        let presented = present("api", text)?;
        let verifier = self.keyring.verifier(&presented.secret);
        let key = self.good_key(ApiKeyId::new(presented.id).ok()?)?;
        key.verifier.matches(&verifier).then_some(key)
    }

    /// The API key with this id, while it is neither void nor expired.
    pub fn good_key(&self, id: ApiKeyId) -> Option<Arc<ApiKey>> {
        let world = self.hub.world();
        world.api_keys.get(&id).filter(|key| key.is_good(Timestamp::now())).cloned()
    }

    /// Whether whoever holds an API key may let devices in now.
    pub fn may_let_in(&self, id: ApiKeyId) -> bool {
        self.good_key(id).is_some_and(|key| covers(&key, &api::login::APPROVE.declared()))
    }

    /// The DERP map in force.
    pub fn derp_map(&self) -> Arc<DerpMap> {
        self.hub.site().derp_map.clone()
    }

    /// The page on which a device is let in.
    pub fn login_url(&self, code: &Code) -> String {
        format!("{}/register/{code}", self.config().server_url)
    }

    /// The page on which a login by SSH is confirmed.
    pub fn visit_url(&self, code: &Code) -> String {
        format!("{}/ssh/{code}", self.config().server_url)
    }

    /// Whether a node of the World is on this machine.
    pub fn has_node(&self, machine: MachineKey) -> bool {
        self.hub.world().nodes.has_machine(machine)
    }

    /// Notes with which of the server's keys a node's machine is served.
    pub fn served(&self, machine: MachineKey, server_key: MachineKey) {
        self.keyring.noise.served(machine, server_key, Timestamp::now());
    }

    /// Notes a stranger's failure.
    pub fn failed(&self, ip: IpAddr, kind: &'static str) {
        self.security.failure(ip, kind);
    }
}

/// Whether the key holds the operation's scope; an operation without one is nobody's.
pub fn covers(key: &ApiKey, operation: &Declared) -> bool {
    operation.scope().is_some_and(|wanted| key.scopes.cover(wanted))
}
