//! Keys, roles and what they open.

mod held;

use api::key::Key;
use readiness::{
    Verdict,
    check::{
        keys::{self, Grant},
        policy::{self, Role},
        text,
        vault::{self, Deployed, Stored},
    },
};

use crate::check::{facts::Facts, local};
use held::{Held, asked, in_vault, of_files, of_target};

/// `apikey.live`.
pub async fn live(facts: &Facts<'_>) -> Verdict {
    let mut held = of_target(facts).await;
    held.extend(of_files(facts));
    held.extend(in_vault(facts));
    let mut credentials = Vec::new();
    for one in held {
        credentials.push(asked(facts, one).await);
    }
    keys::live(&credentials, facts.context.screen().now)
}

/// `vault.matches-server`.
pub async fn vault(facts: &Facts<'_>) -> Verdict {
    let Some(stored) = in_vault(facts) else { return vault::matches_server(&Stored::None) };
    let secret = match &stored.secret {
        Ok(secret) => secret.clone(),
        Err(why) => return vault::matches_server(&Stored::Closed(why.clone())),
    };
    let credential = asked(facts, stored).await;
    let works = worked(&credential.answer);
    let mut deployed = Vec::new();
    for file in of_files(facts) {
        let found = match &file.secret {
            Err(why) => Err(why.clone()),
            Ok(other) if other.expose() == secret.expose() => Ok(Deployed::Same),
            Ok(_) => {
                let holder = file.holder.clone();
                let answer = asked(facts, Held { holder, ..file.clone() }).await.answer;
                Ok(Deployed::Other(worked(&answer).map(|w| w.is_ok())))
            }
        };
        deployed.push((file.holder, found));
    }
    let masked = credential.masked.unwrap_or_else(|| "the key".into());
    vault::matches_server(&Stored::Opened { holder: credential.holder, masked, works, deployed })
}

fn worked(answer: &keys::Answer) -> Option<Result<(), String>> {
    match answer {
        keys::Answer::Works(_) => Some(Ok(())),
        keys::Answer::Dead(why) => Some(Err(why.clone())),
        keys::Answer::Unreadable(_) | keys::Answer::Nobody(_) => None,
    }
}

/// `keys.expiring`.
pub async fn expiring(facts: &Facts<'_>) -> Result<Verdict, Verdict> {
    let now = facts.context.screen().now;
    let mut all = Vec::new();
    for key in facts.api_keys().await?.apikeys.iter().filter(|k| k.revoked.is_none() && k.expires > now) {
        all.push(keys::Key {
            what: format!("API key {} ({})", key.id, key.description),
            created: key.created,
            expires: key.expires,
            renew: "meshctl secret rotate headplane-api-key --file VAULT --var NAME".into(),
        });
    }
    for key in facts.keys().await?.keys.iter().filter(|k| is_good(k, now)) {
        all.push(keys::Key {
            what: format!("key {} (role {})", key.id, key.role),
            created: key.created,
            expires: key.expires,
            renew: format!("meshctl key create --role {} --out FILE", key.role),
        });
    }
    let nodes = facts.nodes().await?.nodes.iter().filter(|n| !n.expired);
    all.extend(nodes.filter_map(|node| {
        Some(keys::Key {
            what: format!("device {}", node.name),
            created: node.created,
            expires: node.expires?,
            renew: format!("tailscale up --force-reauth   # on {}", node.name),
        })
    }));
    Ok(keys::expiring(&all, now))
}

/// `keys.untagged-refused`.
pub async fn untagged(facts: &Facts<'_>) -> Result<Verdict, Verdict> {
    Ok(keys::untagged(facts.status().await?.allow_untagged_keys))
}

/// `keys.usable`.
pub async fn usable(facts: &Facts<'_>) -> Result<Verdict, Verdict> {
    let now = facts.context.screen().now;
    let good = facts.keys().await?.keys.iter().filter(|k| is_good(k, now) && !k.tags.is_empty());
    Ok(keys::usable(&good.map(|k| format!("key {} (role {})", k.id, k.role)).collect::<Vec<_>>()))
}

/// `policy.no-legacy-keys`. Playbooks are searched even where no server answers.
pub async fn legacy(facts: &Facts<'_>) -> Verdict {
    let texts = match local::texts(facts) {
        Ok(texts) => text::untagged_keys(&texts),
        Err(verdict) => verdict,
    };
    match grants(facts).await {
        Ok(grants) => keys::legacy(&grants, texts),
        Err(verdict) => verdict.and(texts),
    }
}

async fn grants(facts: &Facts<'_>) -> Result<Vec<Grant>, Verdict> {
    let now = facts.context.screen().now;
    let keys = facts.keys().await?.keys.iter().filter(|k| is_good(k, now));
    let roles = facts.roles().await?;
    let grant = |key: &Key| {
        let tags: Vec<_> = key.tags.iter().map(ToString::to_string).collect();
        let role = roles
            .iter()
            .find(|(name, of_role, _)| *name == key.role && tags.iter().all(|t| of_role.contains(t)));
        let access = role.and_then(|(.., access)| access.as_ref().ok());
        Grant {
            what: format!("key {} (role {})", key.id, key.role),
            tags,
            opens: access.map(|a| !a.may_reach.is_empty() || !a.reached_by.is_empty()),
            replace: format!("meshctl key create --role ROLE --out FILE && meshctl key revoke {}", key.id),
        }
    };
    Ok(keys.map(grant).collect())
}

/// `policy.roles-open-something`.
pub async fn roles(facts: &Facts<'_>) -> Result<Verdict, Verdict> {
    let policy_set = facts.status().await?.policy_set;
    let role = |(name, _, access): &crate::check::facts::RoleAccess| Role {
        name: name.clone(),
        reaches: access.as_ref().ok().map(|a| a.may_reach.len()),
        reached_by: access.as_ref().map_or(0, |a| a.reached_by.len()),
        trouble: access.as_ref().err().cloned(),
    };
    let roles: Vec<_> = facts.roles().await?.iter().map(role).collect();
    Ok(policy::roles(&roles, policy_set))
}

/// Whether it would let a device in.
fn is_good(key: &Key, now: jiff::Timestamp) -> bool {
    key.revoked.is_none() && key.expires > now && (key.reusable || key.used_count == 0)
}
