//! Who may log in to a node by Tailscale SSH, and what then happens. These keys begin in lower case.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use serde::{Deserialize, Serialize};

use crate::field::absent;

/// The rules in their order: the first that fits the caller and the requested user decides, and none is a refusal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshPolicy {
    /// Empty takes back what was said before.
    #[serde(default)]
    pub rules: Vec<SshRule>,
}

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SshRule {
    /// From where.
    pub principals: Vec<SshPrincipal>,
    /// Local user by requested user or `*`: `=` is the same, the empty text is a refusal.
    pub ssh_users: BTreeMap<String, String>,
    pub action: SshAction,
    /// Variables that the caller may set, with `*` and `?`.
    #[serde(skip_serializing_if = "absent")]
    pub accept_env: Vec<String>,
}

/// A caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshPrincipal {
    #[serde(rename = "nodeIP")]
    pub node_ip: IpAddr,
}

/// What happens to a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SshAction {
    /// Shown to the caller.
    #[serde(skip_serializing_if = "absent")]
    pub message: String,
    #[serde(skip_serializing_if = "absent")]
    pub reject: bool,
    #[serde(skip_serializing_if = "absent")]
    pub accept: bool,
    #[serde(skip_serializing_if = "absent")]
    pub allow_agent_forwarding: bool,
    /// Where the node asks what to do, over its Noise channel.
    #[serde(skip_serializing_if = "absent")]
    pub hold_and_delegate: String,
    #[serde(skip_serializing_if = "absent")]
    pub allow_local_port_forwarding: bool,
    #[serde(skip_serializing_if = "absent")]
    pub allow_remote_port_forwarding: bool,
    /// Who keeps what is shown in the session; the client tries one after the other until one answers.
    #[serde(skip_serializing_if = "absent")]
    pub recorders: Vec<SocketAddr>,
    /// Absent: the session goes on unrecorded.
    #[serde(skip_serializing_if = "absent")]
    pub on_recording_failure: Option<SshRecordingFailure>,
}

/// What a client does when no recorder answers, or when the last one stops. These keys begin in upper case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SshRecordingFailure {
    /// Not empty: the caller is refused with these words.
    #[serde(skip_serializing_if = "absent")]
    pub reject_session_with_message: String,
    /// Not empty: the caller is cut off with these words.
    #[serde(skip_serializing_if = "absent")]
    pub terminate_session_with_message: String,
    /// Where the client tells of it, over its Noise channel.
    #[serde(rename = "NotifyURL", skip_serializing_if = "absent")]
    pub notify_url: String,
}

impl SshAction {
    /// The caller is in, with all kinds of forwarding.
    pub fn accept() -> Self {
        Self {
            accept: true,
            allow_agent_forwarding: true,
            allow_local_port_forwarding: true,
            allow_remote_port_forwarding: true,
            ..Self::default()
        }
    }

    /// The caller waits until somebody has answered there.
    pub fn ask(url: &str) -> Self {
        Self { hold_and_delegate: url.to_owned(), ..Self::default() }
    }

    /// The caller is told this and nothing else.
    pub fn reject(message: &str) -> Self {
        Self { message: message.to_owned(), reject: true, ..Self::default() }
    }
}
