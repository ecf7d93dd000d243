//! The SSH rules of a node.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::Serialize;

use crate::{
    Device, LOGIN_CHECK, NOT_RECORDED, RECORDER_PORT, RECORDING_STOPPED,
    alias::Alias,
    answer::Tailnet,
    policy::{Ssh, SshUser},
};

/// A rule as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SshRule {
    /// From where.
    pub principals: Vec<SshPrincipal>,
    /// Local user by requested user; `=` is the same, the empty text is a refusal.
    pub ssh_users: BTreeMap<String, String>,
    /// What happens.
    pub action: SshAction,
    /// Variables that may be set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accept_env: Vec<String>,
}

/// One address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SshPrincipal {
    /// The address.
    #[serde(rename = "nodeIP")]
    pub node_ip: String,
}

/// What happens to a login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum SshAction {
    /// It is let in.
    #[serde(rename_all = "camelCase")]
    Accept {
        /// True.
        accept: bool,
        /// True.
        allow_agent_forwarding: bool,
        /// True.
        allow_local_port_forwarding: bool,
        /// True.
        allow_remote_port_forwarding: bool,
        /// Who records it.
        #[serde(flatten)]
        recording: SshRecording,
    },
    /// It waits for an answer from there.
    #[serde(rename_all = "camelCase")]
    Check {
        /// Address with places for the nodes and the user.
        hold_and_delegate: String,
        /// Who records it.
        #[serde(flatten)]
        recording: SshRecording,
    },
}

/// Who keeps what is shown in a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SshRecording {
    /// One after the other is tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recorders: Vec<SocketAddr>,
    /// What happens when none answers; nothing does without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_recording_failure: Option<RecordingFailure>,
}

/// What happens to a session that must be recorded and is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RecordingFailure {
    /// It does not begin.
    pub reject_session_with_message: &'static str,
    /// It ends.
    pub terminate_session_with_message: &'static str,
}

impl Tailnet<'_> {
    /// Checks stand before the rest, which keep their order.
    pub(crate) fn logins(&self, node: &Device) -> Vec<SshRule> {
        let of = |checks| self.policy.ssh.iter().filter(move |rule| rule.checks == checks);
        of(true).chain(of(false)).flat_map(|rule| self.rules(rule, node)).collect()
    }

    fn rules(&self, rule: &Ssh, node: &Device) -> Vec<SshRule> {
        let mut out = Vec::new();
        if !self.can_record(rule) {
            return out;
        }
        let devices = || self.roster.devices.iter();
        let is_source = |device: &&Device| rule.sources.iter().any(|alias| self.means(alias, device));
        let own = rule.destinations.contains(&Alias::Own);
        if let Some(owner) = node.person().filter(|_| own) {
            let mine: Vec<_> = devices().filter(is_source).filter(|d| d.person() == Some(owner)).collect();
            self.add(rule, &mine, Some(owner), &mut out);
        }
        let others = || rule.destinations.iter().filter(|alias| **alias != Alias::Own);
        let is_destination = others().any(|alias| self.means(alias, node));
        let sources: Vec<_> = devices().filter(is_source).collect();
        if !rule.has_local_part() {
            if is_destination {
                self.add(rule, &sources, None, &mut out);
            }
            return out;
        }
        if is_destination {
            for person in 0..self.roster.people.len() {
                let theirs: Vec<_> =
                    sources.iter().copied().filter(|device| device.person() == Some(person)).collect();
                self.add(rule, &theirs, Some(person), &mut out);
            }
            let tagged: Vec<_> = sources.iter().copied().filter(|device| device.person().is_none()).collect();
            self.add(rule, &tagged, None, &mut out);
        } else if others().next().is_some() && is_source(&node) {
            // The reference sends a source its own part of a rule by local parts.
            let person = node.person();
            let own = |device: &&Device| {
                device.name == node.name || (person.is_some() && device.person() == person)
            };
            let mine: Vec<_> = sources.iter().copied().filter(own).collect();
            self.add(rule, &mine, person, &mut out);
        }
        out
    }

    /// The rule for these devices; with a person also the user of that name.
    fn add(&self, rule: &Ssh, devices: &[&Device], person: Option<usize>, out: &mut Vec<SshRule>) {
        if devices.is_empty() {
            return;
        }
        let v4 = devices.iter().map(|device| device.v4.to_string());
        let addresses = v4.chain(devices.iter().map(|device| device.v6.to_string()));
        let principals: Vec<_> = addresses.map(|node_ip| SshPrincipal { node_ip }).collect();
        let action = rule.action(self.recording(rule));
        let with = |ssh_users| SshRule {
            principals: principals.clone(),
            ssh_users,
            action: action.clone(),
            accept_env: rule.accept_env.clone(),
        };
        out.push(with(rule.user_map()));
        let mailbox = person.and_then(|at| self.roster.people.get(at)).and_then(|person| person.mailbox());
        for user in &rule.users {
            let (SshUser::LocalPart(domain), Some((name, own))) = (user, mailbox) else { continue };
            if domain == own {
                out.push(with(BTreeMap::from([(name.to_owned(), name.to_owned())])));
            }
        }
    }

    /// Whether the rule lets anybody in: one that must record and cannot does not.
    pub(super) fn can_record(&self, rule: &Ssh) -> bool {
        let enforced = rule.recording.as_ref().is_some_and(|recording| recording.enforced);
        !enforced || !self.recording(rule).recorders.is_empty()
    }

    fn recording(&self, rule: &Ssh) -> SshRecording {
        let Some(recording) = &rule.recording else { return SshRecording::default() };
        let records = |device: &&Device| recording.by.iter().any(|tag| device.tags.contains(tag));
        let recorders = self.roster.devices.iter().filter(records).flat_map(Device::addresses);
        let mut recorders: Vec<_> = recorders.map(|address| (address, RECORDER_PORT).into()).collect();
        recorders.sort();
        let failure = RecordingFailure {
            reject_session_with_message: NOT_RECORDED,
            terminate_session_with_message: RECORDING_STOPPED,
        };
        let on_recording_failure = (recording.enforced && !recorders.is_empty()).then_some(failure);
        SshRecording { recorders, on_recording_failure }
    }
}

impl Ssh {
    pub(crate) fn has_local_part(&self) -> bool {
        self.users.iter().any(|user| matches!(user, SshUser::LocalPart(_)))
    }

    /// Root is refused unless the rule names it.
    pub(crate) fn user_map(&self) -> BTreeMap<String, String> {
        let mut map = BTreeMap::from([("root".to_owned(), String::new())]);
        for user in &self.users {
            match user {
                SshUser::Name(name) => map.insert(name.clone(), name.clone()),
                SshUser::NonRoot => map.insert("*".to_owned(), "=".to_owned()),
                SshUser::LocalPart(_) => None,
            };
        }
        map
    }

    fn action(&self, recording: SshRecording) -> SshAction {
        if self.checks {
            return SshAction::Check { hold_and_delegate: LOGIN_CHECK.to_owned(), recording };
        }
        SshAction::Accept {
            accept: true,
            allow_agent_forwarding: true,
            allow_local_port_forwarding: true,
            allow_remote_port_forwarding: true,
            recording,
        }
    }
}
