//! Steps that make anew what the plan knows and the server has not: each looks first, so that it can be repeated.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use api::{dns, key, node::Node, policy, role, route, user};

use super::state::missing;
use crate::{
    reset::Mesh,
    talk::{Check, Context, Failure, SecretFile, read_secret},
};

const NOW: Check = Check { check: false };

/// People who are not there.
pub async fn users(context: &Context, mesh: &Mesh) -> Result<String, Failure> {
    let there = context.read(&user::LIST, &[], &()).await?.users;
    let lost: Vec<_> = mesh.users.iter().filter(|u| !there.iter().any(|t| t.login == u.login)).collect();
    for one in &lost {
        let input = user::Create { login: one.login.clone(), display_name: Some(one.display_name.clone()) };
        context.write(&user::CREATE, &[], &input, NOW).await?;
    }
    Ok(format!("{} made, {} were there", lost.len(), mesh.users.len() - lost.len()))
}

/// The policy's text; another one that somebody has put in force since is left alone.
pub async fn policy(context: &Context, mesh: &Mesh) -> Result<String, Failure> {
    let there = context.read(&policy::GET, &[], &()).await?;
    if mesh.policy.is_empty() || there.policy == mesh.policy {
        return Ok("it is in force".to_owned());
    }
    if !there.policy.is_empty() {
        return Err(Failure::failed("another policy is in force than the one of the plan")
            .hint("`meshctl policy diff` shows how they differ; `meshctl policy set FILE` settles it"));
    }
    let message = Some("recovered after a reset".to_owned());
    let edit = policy::Edit { policy: mesh.policy.clone(), message, accept_widening: true, if_match: None };
    context.write(&policy::SET, &[], &edit, NOW).await?;
    Ok("put in force".to_owned())
}

/// Nameservers, split DNS, names. What would keep clients from the server is refused as ever.
pub async fn dns(context: &Context, mesh: &Mesh) -> Result<String, Failure> {
    let was = &mesh.dns;
    let edit = dns::Edit {
        magic: Some(was.magic),
        override_local: Some(was.override_local),
        resolvers: Some(was.resolvers.clone()),
        split: was.split.clone(),
        search: Some(was.search.clone()),
        force: false,
    };
    let changed = context.write(&dns::SET, &[], &edit, NOW).await?.changed;
    let records = was.records.iter().filter(|r| r.source == "command");
    let mut set = 0;
    for record in records {
        let input =
            dns::SetRecord { name: record.name.clone(), addresses: record.addresses.clone(), force: false };
        set += usize::from(context.write(&dns::SET_RECORD, &[], &input, NOW).await?.changed);
    }
    Ok(format!("{}, {set} names set", if changed { "set" } else { "as it was" }))
}

/// Roles, exactly as they were.
pub async fn roles(context: &Context, mesh: &Mesh) -> Result<String, Failure> {
    let input = role::Apply { roles: mesh.roles.clone(), prune: false };
    let changed = context.write(&role::APPLY, &[], &input, NOW).await?.changed;
    Ok(format!("{} {}", mesh.roles.len(), if changed { "made or mended" } else { "as they were" }))
}

/// Where the key of a device is.
pub fn key_file(folder: &Path, node: &Node) -> PathBuf {
    folder.join(format!("{}.key", node.name))
}

/// The role whose devices are tagged like this one.
pub fn role_of<'a>(mesh: &'a Mesh, node: &Node) -> Option<&'a role::Role> {
    let wanted: std::collections::BTreeSet<_> = node.tags.iter().collect();
    mesh.roles.iter().find(|role| {
        !node.tags.is_empty() && role.tags.iter().collect::<std::collections::BTreeSet<_>>() == wanted
    })
}

/// One key for one day for each tagged device that is not back, in a file of its name; one that still works is kept.
pub async fn keys(context: &Context, mesh: &Mesh, folder: &Path) -> Result<String, Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|e| Failure::failed(format!("cannot make {}: {e}", folder.display())))?;
    let (mut made, mut kept, mut without) = (0, 0, Vec::new());
    for node in missing(context, mesh).await?.into_iter().filter(|n| !n.tags.is_empty()) {
        let Some(role) = role_of(mesh, node) else {
            without.push(node.name.as_str());
            continue;
        };
        let file = key_file(folder, node);
        if works(context, &file, &role.name).await? {
            kept += 1;
            continue;
        }
        let place = SecretFile::prepare(&file)?;
        let input = key::Create {
            role: role.name.clone(),
            user: node.user.clone(),
            expiry_seconds: Some(role.key.expiry_seconds.min(86_400)),
            reusable: Some(false),
            ephemeral: Some(role.key.ephemeral && node.ephemeral),
            allow_no_access: true,
        };
        let secret = context.write(&key::CREATE, &[], &input, NOW).await?.outcome.secret;
        let secret = secret.ok_or_else(|| Failure::failed("the server made a key and kept its secret"))?;
        place.commit(secret.expose())?;
        made += 1;
    }
    let more = match without.as_slice() {
        [] => String::new(),
        names => format!("; no role has the tags of {}", names.join(", ")),
    };
    Ok(format!("{made} made, {kept} kept in {}{more}", folder.display()))
}

async fn works(context: &Context, file: &Path, role: &str) -> Result<bool, Failure> {
    if !file.exists() {
        return Ok(false);
    }
    let secret = key::Plaintext::new(read_secret(file)?.expose().clone());
    let verdict = context.read(&key::VERIFY, &[], &key::Verify { secret }).await?;
    Ok(verdict.works && verdict.key.is_some_and(|k| k.role == role))
}

/// Approvals of routes that devices offer again. Who is not back yet is named.
pub async fn routes(context: &Context, mesh: &Mesh) -> Result<Result<String, String>, Failure> {
    let there = context.read(&route::LIST, &[], &()).await?.routes;
    let (mut approved, mut waiting) = (0, Vec::new());
    for node in mesh.nodes.iter().filter(|n| !n.approved_routes.is_empty()) {
        let offered: Vec<_> = there.iter().filter(|r| r.node == node.name && r.advertised).collect();
        let wanted = node.approved_routes.iter().filter(|p| node.advertised_routes.contains(p));
        for prefix in wanted {
            match offered.iter().find(|r| r.prefix == *prefix) {
                Some(found) if found.approved => {}
                Some(_) => {
                    let choice = route::Choice { node: node.name.clone(), prefixes: vec![*prefix] };
                    context.write(&route::APPROVE, &[], &choice, NOW).await?;
                    approved += 1;
                }
                None => waiting.push(format!("{prefix} of {}", node.name)),
            }
        }
    }
    Ok(match waiting.as_slice() {
        [] => Ok(format!("{approved} approved")),
        names => Err(format!("{approved} approved; not offered yet: {}", names.join(", "))),
    })
}
