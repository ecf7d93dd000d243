//! What the log says of an event beside the event itself.

use crate::DurableEvent;

/// The columns `kind` and `subject` of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The event's stable name.
    pub kind: &'static str,
    /// What it is about: `node:5`, `machine:mkey:…`, `user:1`, `key:3`, `apikey:2`, `role:server`, `policy`, `dns`, `dns:NAME`,
    /// `call:node`.
    pub subject: String,
}

impl DurableEvent {
    /// Names the event and its subject.
    pub fn describe(&self) -> Description {
        use DurableEvent as E;
        let (kind, subject) = match self {
            E::NodeRegistered { node } => ("node_registered", format!("node:{}", node.id)),
            E::NodeReauthenticated { node, .. } => ("node_reauthenticated", format!("node:{node}")),
            E::NodeReadmitted { node, .. } => ("node_readmitted", format!("node:{node}")),
            E::NodeLoggedOut { node } => ("node_logged_out", format!("node:{node}")),
            E::NodeKeyExpirySet { node, .. } => ("node_key_expiry_set", format!("node:{node}")),
            E::NodeHostinfoChanged { node, .. } => ("node_hostinfo_changed", format!("node:{node}")),
            E::NodeRenamed { node, .. } => ("node_renamed", format!("node:{node}")),
            E::NodeTagged { node, .. } => ("node_tagged", format!("node:{node}")),
            E::NodeMoved { node, .. } => ("node_moved", format!("node:{node}")),
            E::NodeRoutesApproved { node, .. } => ("node_routes_approved", format!("node:{node}")),
            E::LoginConfirmed { to, .. } => ("login_confirmed", format!("node:{to}")),
            E::LoginDenied { machine, .. } => ("login_denied", format!("machine:{machine}")),
            E::NodeDeleted { node } => ("node_deleted", format!("node:{node}")),
            E::UserCreated { user } => ("user_created", format!("user:{}", user.id)),
            E::UserRenamed { user, .. } => ("user_renamed", format!("user:{user}")),
            E::UserDeleted { user } => ("user_deleted", format!("user:{user}")),
            E::RoleSet { role } => ("role_set", format!("role:{}", role.name)),
            E::RoleDeleted { name } => ("role_deleted", format!("role:{name}")),
            E::AuthKeyCreated { key } => ("auth_key_created", format!("key:{}", key.id)),
            E::AuthKeyUsed { key, .. } => ("auth_key_used", format!("key:{key}")),
            E::AuthKeyRevoked { key, .. } => ("auth_key_revoked", format!("key:{key}")),
            E::ApiKeyCreated { key } => ("api_key_created", format!("apikey:{}", key.id)),
            E::ApiKeyRevoked { key, .. } => ("api_key_revoked", format!("apikey:{key}")),
            E::NoticeGiven { .. } => ("notice_given", "server".to_owned()),
            E::NoticeAcknowledged { node } => ("notice_acknowledged", format!("node:{node}")),
            E::NodeHealthChanged { node, .. } => ("node_health_changed", format!("node:{node}")),
            E::BackupMade { .. } => ("backup_made", "backup".to_owned()),
            E::ServerKeyRotated { .. } => ("server_key_rotated", "server".to_owned()),
            E::ServerKeyRetired { .. } => ("server_key_retired", "server".to_owned()),
            E::CallRefused { noun, .. } => ("call_refused", format!("call:{noun}")),
            E::PolicySet { .. } => ("policy_set", "policy".to_owned()),
            E::DnsSet { .. } => ("dns_set", "dns".to_owned()),
            E::DnsRecordSet { name, .. } => ("dns_record_set", format!("dns:{name}")),
            E::DnsRecordDeleted { name } => ("dns_record_deleted", format!("dns:{name}")),
            E::DnsRecordsRead { .. } => ("dns_records_read", "dns".to_owned()),
        };
        Description { kind, subject }
    }
}
