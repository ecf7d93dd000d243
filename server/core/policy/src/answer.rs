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

use crate::{Policy, PolicyError, PolicyErrors, parse, policy::Content};

pub use case::{CaseAnswer, MAX_CASE_BYTES, MAX_CASE_NODES, answer_case};
pub use filter::{CapGrant, FilterRule, PortSpan, Reached};
pub use login::{RecordingFailure, SshAction, SshPrincipal, SshRecording, SshRule};
pub use peers::Peer;
pub use roster::{Device, Person, Roster};

/// Most failures that are told of.
const MOST_FAILURES: usize = 100;

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
    /// Whether a policy without rules opens everything, as it does with the reference.
    pub(crate) is_open: bool,
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
        let tailnet = Tailnet { policy: &self.content, roster, is_open: self.content.opens_all };
        tailnet.owns_domains().map_err(|error| error.message)?;
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
    fn owns_domains(&self) -> Result<(), PolicyError> {
        let own = self.roster.people.first().and_then(|owner| owner.mailbox()).map(|(_, domain)| domain);
        let mut named =
            self.policy.ssh.iter().flat_map(|rule| rule.domains.iter().map(move |d| (d, rule.place)));
        let Some((domain, (line, column))) = named.find(|(domain, _)| own != Some(domain.as_str())) else {
            return Ok(());
        };
        let message = format!(
            "[ssh] {domain} is not associated with this Tailnet and cannot be used in user:*@<domain> expressions"
        );
        let hint = own.map_or_else(
            || "the tailnet's domain is that of its first user, who has none".to_owned(),
            |own| format!("the domain of the tailnet's first user is {own}"),
        );
        Err(PolicyError { line, column, message, hint: Some(hint) })
    }
}

impl Policy {
    /// Runs the policy's own tests, and looks at what it says of the tailnet's domain. Each failure has its place, and
    /// says what was expected and what was found.
    pub fn try_on(&self, roster: &Roster) -> Result<(), PolicyErrors> {
        let tailnet = Tailnet { policy: self.content(), roster, is_open: false };
        let mut failures: Vec<_> = tailnet.owns_domains().err().into_iter().collect();
        failures.extend(
            tailnet.failures().into_iter().map(|failure| PolicyError {
                message: format!("test failed: {}", failure.message),
                ..failure
            }),
        );
        failures.truncate(MOST_FAILURES);
        if failures.is_empty() { Ok(()) } else { Err(PolicyErrors(failures)) }
    }

    /// Whether there is anything to try.
    pub fn has_tests(&self) -> bool {
        let content = self.content();
        let names_domains = content.ssh.iter().any(|rule| !rule.domains.is_empty());
        names_domains || !content.trials.is_empty() || !content.logins.is_empty()
    }
}
