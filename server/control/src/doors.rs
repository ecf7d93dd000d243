//! What every door of the server shares: the World to read, the writer to ask, the keys to check with.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use ident::{ApiKeyId, AuthKeyId, MachineKey};
use jiff::Timestamp;
use wire::DerpMap;
use world::KeyProof;

use crate::{
    config::Config,
    fanout::Hub,
    keyring::{Keyring, present},
    metrics::Metrics,
    pending::{Code, Pending},
    quota::CallLimits,
    records::RecordsFile,
    relay::Relay,
    security::SecurityLog,
    store::Store,
    verdict::Verdict,
    writer::Writer,
};

/// Handed to every listener's routes.
pub struct Doors {
    /// What was configured.
    pub config: Config,
    /// The World and who watches it.
    pub hub: Arc<Hub>,
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
    /// Where metrics and health are served, if they are.
    pub monitor: Option<SocketAddr>,
    /// What is wrong with the policy in force.
    pub verdict: Arc<Verdict>,
    /// Devices that wait to be let in.
    pub pending: Arc<Pending>,
    /// The watched file of extra names.
    pub records: Arc<RecordsFile>,
    /// Names this process among those that share a database.
    pub instance: u64,
    /// The public half of the Noise key.
    pub public_key: MachineKey,
    /// When the process began to serve.
    pub started: Timestamp,
}

impl Doors {
    /// A presented auth key as the World may see it: an id and a digest. `None` when it has no key's shape.
    pub fn prove(&self, key: &ident::Secret<String>) -> Option<KeyProof> {
        let presented = present("auth", key)?;
        let id = AuthKeyId::new(presented.id).ok()?;
        Some(KeyProof { id, verifier: self.keyring.verifier(&presented.secret) })
    }

    /// The API key that this text is, if it lets people decide about devices now.
    pub fn api_key(&self, text: &ident::Secret<String>) -> Option<ApiKeyId> {
        let presented = present("api", text)?;
        let verifier = self.keyring.verifier(&presented.secret);
        let id = ApiKeyId::new(presented.id).ok()?;
        let key = self.hub.world().api_keys.get(&id)?.clone();
        (key.verifier.matches(&verifier) && self.may_let_in(id)).then_some(id)
    }

    /// Whether whoever holds an API key may let devices in now.
    pub fn may_let_in(&self, id: ApiKeyId) -> bool {
        let world = self.hub.world();
        let Some(key) = world.api_keys.get(&id).filter(|key| key.is_good(Timestamp::now())) else {
            return false;
        };
        api::login::APPROVE.declared().scope().is_some_and(|wanted| key.scopes.cover(wanted))
    }

    /// The DERP map in force.
    pub fn derp_map(&self) -> Arc<DerpMap> {
        self.hub.site().derp_map.clone()
    }

    /// The page on which a device is let in.
    pub fn login_url(&self, code: &Code) -> String {
        format!("{}/register/{code}", self.config.server_url)
    }

    /// The page on which a login by SSH is confirmed.
    pub fn visit_url(&self, code: &Code) -> String {
        format!("{}/ssh/{code}", self.config.server_url)
    }

    /// Whether a node of the World is on this machine.
    pub fn has_node(&self, machine: MachineKey) -> bool {
        self.hub.world().nodes.has_machine(machine)
    }

    /// Notes a stranger's failure.
    pub fn failed(&self, ip: IpAddr, kind: &'static str) {
        self.security.failure(ip, kind);
    }
}
