//! What every door of the server shares: the World to read, the writer to ask, the keys to check with.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use ident::{AuthKeyId, MachineKey};
use wire::DerpMap;
use world::KeyProof;

use crate::{
    config::Config,
    fanout::Hub,
    keyring::{Keyring, present},
    metrics::Metrics,
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
    /// The watched file of extra names.
    pub records: Arc<RecordsFile>,
    /// Names this process among those that share a database.
    pub instance: u64,
    /// The public half of the Noise key.
    pub public_key: MachineKey,
    /// When the process began to serve.
    pub started: jiff::Timestamp,
}

impl Doors {
    /// A presented auth key as the World may see it: an id and a digest. `None` when it has no key's shape.
    pub fn prove(&self, key: &ident::Secret<String>) -> Option<KeyProof> {
        let presented = present("auth", key)?;
        let id = AuthKeyId::new(presented.id).ok()?;
        Some(KeyProof { id, verifier: self.keyring.verifier(&presented.secret) })
    }

    /// The DERP map in force.
    pub fn derp_map(&self) -> Arc<DerpMap> {
        self.hub.site().derp_map.clone()
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
