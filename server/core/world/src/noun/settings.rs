//! What the configuration fixes for a tailnet; it is not stored with it.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use crate::DnsSettings;

/// Fixed until the configuration is read again; the domain for the life of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// MagicDNS suffix without a trailing dot, for example `mesh.internal`.
    pub domain: String,
    /// How long a node stays online after its stream ended.
    pub leaving_grace: Duration,
    /// How long an ephemeral node may be without a stream before it is deleted.
    pub ephemeral_grace: Duration,
    /// How long the key of a person's device is accepted; none for ever.
    pub key_expiry: Option<Duration>,
    /// Where clients find this server, as far as it knows; from its start on. No node may take that over.
    pub own_addresses: BTreeSet<IpAddr>,
    /// Whether keys without a role are made and taken: their devices are a person's.
    pub allow_untagged: bool,
    /// What holds of DNS until an operator changes anything of it.
    pub dns: DnsSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            domain: "mesh.internal".into(),
            leaving_grace: Duration::from_secs(10),
            ephemeral_grace: Duration::from_secs(30 * 60),
            key_expiry: Some(Duration::from_secs(180 * 86400)),
            own_addresses: BTreeSet::new(),
            allow_untagged: false,
            dns: DnsSettings::default(),
        }
    }
}
