//! What every node of a tailnet is told under a policy, as the reference would say it.
//!
//! It looks at all nodes and all rules: for questions about a policy, not for a running server.

mod caps;
mod case;
mod filter;
mod login;
pub(crate) mod members;
mod peers;
mod roster;
mod trial;

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use crate::{PolicyErrors, parse, policy::Content};

pub use case::{CaseAnswer, MAX_CASE_BYTES, MAX_CASE_NODES, answer_case};
pub use filter::{CapGrant, FilterRule, PortSpan, Reached};
pub use login::{SshAction, SshPrincipal, SshRule};
pub use peers::Peer;
pub use roster::{Device, Person, Roster};

/// A policy in the whole language, also in those parts of it that a running server refuses.
#[derive(Debug, Clone)]
pub struct Document {
    text: Arc<str>,
    content: Arc<Content>,
}

/// What one node is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// Rules of the packet filter.
    pub filter: Vec<FilterRule>,
    /// Rules of SSH.
    pub ssh: Vec<SshRule>,
    /// Peers by their host names.
    pub peers: BTreeMap<String, Peer>,
    /// The node itself.
    #[serde(rename = "self")]
    pub own: Peer,
}

/// A policy and those whom it is about.
#[derive(Clone, Copy)]
pub(crate) struct Tailnet<'a> {
    pub(crate) policy: &'a Content,
    pub(crate) roster: &'a Roster,
}

impl Document {
    /// Reads a policy; mistakes as with [`crate::Policy::parse`].
    pub fn parse(text: &str) -> Result<Self, PolicyErrors> {
        let (content, findings) = parse::parse(text);
        findings.of_language()?;
        Ok(Self::of(text, Arc::new(content)))
    }

    pub(crate) fn of(text: &str, content: Arc<Content>) -> Self {
        Self { text: text.into(), content }
    }

    /// The text, as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    /// What each device is told, by name. The error says why the reference would refuse the policy for this tailnet:
    /// a foreign domain, or one of its own tests that fails.
    pub fn answer(&self, roster: &Roster) -> Result<BTreeMap<String, View>, String> {
        let tailnet = Tailnet { policy: &self.content, roster };
        tailnet.owns_domains()?;
        tailnet.passes()?;
        let views = roster.devices.iter().map(|device| {
            let view = View {
                filter: tailnet.filter(device),
                ssh: tailnet.logins(device),
                peers: tailnet.peers(device),
                own: tailnet.own(device),
            };
            (device.name.clone(), view)
        });
        Ok(views.collect())
    }
}

impl Tailnet<'_> {
    /// Domains in `ssh` must be the tailnet's.
    fn owns_domains(&self) -> Result<(), String> {
        let own = self.roster.people.first().and_then(|owner| owner.mailbox()).map(|(_, domain)| domain);
        let mut foreign = self.policy.ssh.iter().flat_map(|rule| &rule.domains);
        match foreign.find(|domain| own != Some(domain.as_str())) {
            None => Ok(()),
            Some(domain) => Err(format!(
                "[ssh] {domain} is not associated with this Tailnet and cannot be used in user:*@<domain> expressions"
            )),
        }
    }
}
