//! The checklists that the checks stand for, item by item.

/// A list of questions that people used to answer by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checklist {
    /// What it is for.
    pub title: &'static str,
    /// Its questions.
    pub items: &'static [Item],
}

/// A question, and the checks that answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// As it was asked.
    pub question: &'static str,
    /// At least one.
    pub checks: &'static [&'static str],
}

const fn item(question: &'static str, checks: &'static [&'static str]) -> Item {
    Item { question, checks }
}

/// Every list.
pub const CHECKLISTS: &[Checklist] = &[
    Checklist {
        title: "Before a change",
        items: &[
            item("VPN server domain resolvable via public DNS?", &["dns.public-bootstrap"]),
            item("Split DNS excludes bootstrap domains?", &["dns.split-excludes-bootstrap"]),
            item("Clients notified before database reset?", &["clients.notified"]),
            item(
                "Playbook tested on fresh instance?",
                &["playbook.fresh-tested", "playbook.undefined-when-fresh"],
            ),
            item("File checks verify content, not just existence?", &["files.non-empty"]),
            item("Verification uses correct protocols (DNS query vs ping)?", &["dns.resolver-protocol"]),
        ],
    },
    Checklist {
        title: "After a database reset",
        items: &[
            item("Regenerate headscale API key for Headplane?", &["apikey.live"]),
            item("Update `vault_headplane_api_key` in vault?", &["vault.matches-server"]),
            item(
                "All clients re-registered with new preauth keys?",
                &["clients.reregistered", "policy.no-legacy-keys"],
            ),
            item("Subnet router re-registered and routes approved?", &["routes.serving"]),
        ],
    },
    Checklist {
        title: "Installation",
        items: &[
            item("DNS records propagated", &["dns.public-bootstrap"]),
            item("Headscale service running", &["server.answers"]),
            item("HTTPS endpoints accessible", &["control.handshake", "certificates.expiry"]),
            item("User created successfully", &["users.exist"]),
            item("Pre-auth key generated", &["keys.usable"]),
            item("First device registered via Tailscale client", &["nodes.registered"]),
            item("Device shows in the list of nodes", &["nodes.registered"]),
            item("Second device can ping first device via VPN IPs", &["nodes.reachable"]),
            item("Web UI accessible and shows nodes", &["ui.answers", "apikey.live"]),
            item("STUN port open", &["stun.answers"]),
        ],
    },
    Checklist {
        title: "Traps in what people copy",
        items: &[
            item("keys of the configuration that were renamed or removed", &["config.valid"]),
            item("a backend on all addresses behind a proxy", &["server.bind"]),
            item("STUN expected while the relay is off", &["stun.answers"]),
            item("an API key that the server did not mint", &["apikey.live"]),
            item("commands that no longer exist", &["docs.commands"]),
            item("a pre-auth key without tags", &["policy.no-legacy-keys", "keys.untagged-refused"]),
            item("connection and rate limits on the control host", &["proxy.limits"]),
            item("a copy of a live database", &["docs.commands", "backup.restorable"]),
            item("a reset that takes the Noise key along", &["control.handshake", "backup.restorable"]),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find;

    #[test]
    fn every_question_has_its_check() {
        for item in CHECKLISTS.iter().flat_map(|list| list.items) {
            assert!(!item.checks.is_empty(), "{}", item.question);
            item.checks.iter().for_each(|id| assert!(find(id).is_ok(), "{id}"));
        }
    }
}
