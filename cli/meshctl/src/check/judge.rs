//! From a check's name to who gathers its evidence.

use readiness::Verdict;

use super::{facts::Facts, local, online};

/// The verdict of a check.
pub async fn judge(facts: &Facts<'_>, id: &str) -> Verdict {
    match id {
        "agents.healthy" => online::nodes::agents(facts).await.unwrap_or_else(told),
        "apikey.live" => online::keys::live(facts).await,
        "backup.restorable" => local::backups(facts).await,
        "certificates.expiry" => online::server::certificates(facts).await,
        "clients.notified" => local::notified(facts).await,
        "clients.reregistered" => online::nodes::reregistered(facts).await.unwrap_or_else(told),
        "clock.skew" => online::server::clock(facts).await,
        "config.valid" => local::config(facts),
        "control.handshake" => online::server::handshake(facts).await,
        "derp.works" => online::server::derp(facts).await.unwrap_or_else(told),
        "dns.public-bootstrap" => online::dns::public_bootstrap(facts).await,
        "dns.resolver-protocol" => online::dns::resolver_protocol(facts).await,
        "dns.split-excludes-bootstrap" => online::dns::split(facts).await.unwrap_or_else(told),
        "docs.commands" => local::commands(facts),
        "files.non-empty" => local::files(facts),
        "keys.expiring" => online::keys::expiring(facts).await.unwrap_or_else(told),
        "keys.untagged-refused" => online::keys::untagged(facts).await.unwrap_or_else(told),
        "keys.usable" => online::keys::usable(facts).await.unwrap_or_else(told),
        "nodes.reachable" => online::nodes::reachable(facts).await.unwrap_or_else(told),
        "nodes.registered" => online::nodes::registered(facts).await.unwrap_or_else(told),
        "playbook.fresh-tested" => local::fresh_tested(facts),
        "playbook.undefined-when-fresh" => local::undefined(facts),
        "policy.no-legacy-keys" => online::keys::legacy(facts).await,
        "policy.roles-open-something" => online::keys::roles(facts).await.unwrap_or_else(told),
        "proxy.limits" => local::proxy(facts).await,
        "routes.serving" => online::nodes::routes(facts).await.unwrap_or_else(told),
        "server.answers" => online::server::answers(facts).await,
        "server.bind" => online::server::bind(facts).await,
        "stun.answers" => online::server::stun(facts).await.unwrap_or_else(told),
        "ui.answers" => online::server::ui(facts).await,
        "users.exist" => online::nodes::users(facts).await.unwrap_or_else(told),
        "vault.matches-server" => online::keys::vault(facts).await,
        other => Verdict::unknown(format!("nobody gathers evidence for {other}")),
    }
}

/// Why the evidence is missing is a verdict already.
fn told(verdict: Verdict) -> Verdict {
    verdict
}

#[cfg(test)]
mod tests {
    use readiness::CATALOGUE;

    #[test]
    fn every_check_has_somebody_who_gathers_its_evidence() {
        let source = include_str!("judge.rs");
        for check in CATALOGUE {
            assert!(source.contains(&format!("\"{}\" =>", check.id)), "{}", check.id);
        }
    }
}
