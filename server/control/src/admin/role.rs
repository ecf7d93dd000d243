//! Key roles.

use std::collections::{BTreeMap, BTreeSet};

use api::{
    Changed,
    role::{
        APPLY, Applied, Apply, DELETE, KeyDefaults, LIST, One, Outcome, Role, Roles, SET, SHOW, Set, Step,
    },
};
use world::{Command, NonEmpty, Refusal};

use super::{Routes, call::Call, refused::Refused, serve};

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(routes, &LIST, list);
    let routes = serve(routes, &SHOW, show);
    let routes = serve(routes, &SET, set);
    let routes = serve(routes, &DELETE, delete);
    serve(routes, &APPLY, apply)
}

async fn list(call: Call, (): ()) -> Result<Roles, Refused> {
    Ok(Roles { roles: call.world.roles.values().map(|r| view(r)).collect() })
}

async fn show(call: Call, (): ()) -> Result<One, Refused> {
    Ok(One { role: view(find(&call)?) })
}

async fn set(call: Call, input: Set) -> Result<Changed<One>, Refused> {
    let before = call.world.roles.get(&call.name).map(|r| view(r));
    let new = || Role {
        name: call.name.clone(),
        tags: Vec::new(),
        description: String::new(),
        key: KeyDefaults::default(),
    };
    let old = before.unwrap_or_else(new);
    let role = Role {
        name: old.name,
        tags: input.tags.unwrap_or(old.tags),
        description: input.description.unwrap_or(old.description),
        key: KeyDefaults {
            expiry_seconds: input.expiry_seconds.unwrap_or(old.key.expiry_seconds),
            reusable: input.reusable.unwrap_or(old.key.reusable),
            ephemeral: input.ephemeral.unwrap_or(old.key.ephemeral),
            node_expiry_seconds: match input.node_expiry_seconds {
                Some(0) => None,
                given => given.or(old.key.node_expiry_seconds),
            },
        },
    };
    let outcome = call.carry_out(Command::SetRole { role: of(&role)? }).await?;
    let after = outcome.world.roles.get(&role.name).map_or(role, |r| view(r));
    Ok(call.answer(outcome.changed, One { role: after }))
}

async fn delete(call: Call, (): ()) -> Result<Changed<One>, Refused> {
    let role = view(find(&call)?);
    let outcome = call.carry_out(Command::DeleteRole { name: role.name.clone() }).await?;
    Ok(call.answer(outcome.changed, One { role }))
}

async fn apply(call: Call, input: Apply) -> Result<Changed<Applied>, Refused> {
    let names: BTreeSet<_> = input.roles.iter().map(|r| r.name.as_str()).collect();
    if names.len() != input.roles.len() {
        return Err(Refused::bad_request("a role is named twice"));
    }
    let mut steps = BTreeMap::new();
    let mut roles = Vec::new();
    for role in &input.roles {
        let wanted = of(role)?;
        let outcome = match call.world.roles.get(&role.name) {
            None => Outcome::Created,
            Some(known) if **known == wanted => Outcome::Unchanged,
            Some(_) => Outcome::Updated,
        };
        steps.insert(role.name.clone(), outcome);
        roles.push(wanted);
    }
    for name in call.world.roles.keys().filter(|name| input.prune && !names.contains(name.as_str())) {
        steps.insert(name.clone(), Outcome::Deleted);
    }
    let done = call.carry_out(Command::ApplyRoles { roles, prune: input.prune }).await?;
    let roles = steps.into_iter().map(|(name, outcome)| Step { name, outcome }).collect();
    Ok(call.answer(done.changed, Applied { roles }))
}

fn find(call: &Call) -> Result<&world::Role, Refused> {
    let missing = || Refusal::NotFound { noun: "role", name: call.name.clone() };
    Ok(call.world.roles.get(&call.name).ok_or_else(missing)?)
}

fn of(role: &Role) -> Result<world::Role, Refusal> {
    let none = Refusal::OutOfRange { what: "tags", rule: "at least one tag" };
    let Role { name, tags, description, key } = role.clone();
    let KeyDefaults { expiry_seconds, reusable, ephemeral, node_expiry_seconds } = key;
    let key = world::KeyDefaults { expiry_seconds, reusable, ephemeral, node_expiry_seconds };
    Ok(world::Role { name, tags: NonEmpty::new(tags).ok_or(none)?, description, key })
}

fn view(role: &world::Role) -> Role {
    let world::KeyDefaults { expiry_seconds, reusable, ephemeral, node_expiry_seconds } = role.key;
    Role {
        name: role.name.clone(),
        tags: role.tags.as_slice().to_vec(),
        description: role.description.clone(),
        key: KeyDefaults { expiry_seconds, reusable, ephemeral, node_expiry_seconds },
    }
}
