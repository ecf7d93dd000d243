//! Who may let whom in: roles, pre-auth keys, API keys and the policy.

use ident::{ApiKeyId, AuthKeyId, MachineKey, NodeId, Scope, Scopes, UserId};
use jiff::{SignedDuration, Timestamp};

use super::{Decision, name, person};
use crate::{
    Answer, ApiKey, AuthKey, Command, Context, DurableEvent, Prepared, Refusal, Role, Verifier,
    VolatileEvent, World,
};

const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 366);
const LONGEST_MESSAGE: usize = 500;

pub(super) fn set_role(world: &World, role: &Role) -> Result<Decision, Refusal> {
    name::check_label("role", &role.name)?;
    if let Some(tag) = role.tags.as_slice().iter().find(|t| !world.policy.policy.defines_tag(t)) {
        return Err(Refusal::UnknownTag { tag: tag.clone() });
    }
    let longest = LONGEST.as_secs().unsigned_abs();
    if !(60..=longest).contains(&role.key.expiry_seconds) {
        return Err(Refusal::OutOfRange { what: "key.expiry", rule: "from 60s to 366d" });
    }
    if role.key.node_expiry_seconds.is_some_and(|s| !(60..=longest).contains(&s)) {
        return Err(Refusal::OutOfRange { what: "key.node_expiry", rule: "from 60s to 366d" });
    }
    if role.description.len() > 500 {
        return Err(Refusal::OutOfRange { what: "description", rule: "at most 500 bytes" });
    }
    if world.roles.get(&role.name).is_some_and(|old| **old == *role) {
        return Ok(Decision::nothing(Answer::Done));
    }
    Ok(Decision::one(DurableEvent::RoleSet { role: role.clone() }, Answer::Done))
}

pub(super) fn delete_role(world: &World, name: &str) -> Result<Decision, Refusal> {
    find_role(world, name)?;
    Ok(Decision::one(DurableEvent::RoleDeleted { name: name.to_owned() }, Answer::Done))
}

pub(super) fn apply_roles(world: &World, roles: &[Role], prune: bool) -> Result<Decision, Refusal> {
    let mut events = Vec::new();
    for role in roles {
        events.extend(set_role(world, role)?.events);
    }
    let kept = |name: &String| roles.iter().any(|r| r.name == *name);
    let gone = world.roles.keys().filter(|name| prune && !kept(name));
    events.extend(gone.map(|name| DurableEvent::RoleDeleted { name: name.clone() }.into()));
    Ok(Decision { events, answer: Answer::Done })
}

pub(super) fn create_auth_key(world: &World, command: &Command, ctx: Context) -> Result<Decision, Refusal> {
    let Command::CreateAuthKey { role, user, verifier, expires, reusable, ephemeral, allow_no_access } =
        command
    else {
        return Ok(Decision::nothing(Answer::Done));
    };
    let role = find_role(world, role)?;
    if let Some(user) = user {
        person::find(world, *user)?;
    }
    if !allow_no_access && world.classes.compiled().opens(role.tags.as_slice()).is_nothing() {
        return Err(Refusal::OpensNothing { role: role.name.clone() });
    }
    let wider = |what| Refusal::WiderThanRole { role: role.name.clone(), what };
    let latest = role_expiry(role, ctx.now);
    let expires = expires.unwrap_or(latest);
    if expires > latest {
        return Err(wider("the expiry"));
    }
    if expires <= ctx.now {
        return Err(Refusal::OutOfRange { what: "expires", rule: "in the future" });
    }
    if *reusable == Some(true) && !role.key.reusable {
        return Err(wider("a reusable key"));
    }
    if *ephemeral == Some(false) && role.key.ephemeral {
        return Err(wider("a key whose devices stay"));
    }
    let id = world.next_ids().auth_key;
    let key = AuthKey {
        id,
        role: role.name.clone(),
        tags: Some(role.tags.clone()),
        user: *user,
        verifier: verifier.clone(),
        created: ctx.now,
        expires,
        reusable: reusable.unwrap_or(role.key.reusable),
        ephemeral: ephemeral.unwrap_or(role.key.ephemeral),
        node_expiry_seconds: role.key.node_expiry_seconds,
        used: 0,
        last_used: None,
        revoked: None,
    };
    Ok(Decision::one(DurableEvent::AuthKeyCreated { key }, Answer::AuthKey(id)))
}

/// What headscale calls a key: it says who brings a device, and not what the device is.
pub(super) fn create_untagged_key(
    world: &World,
    user: UserId,
    verifier: &Verifier,
    expires: Timestamp,
    (reusable, ephemeral): (bool, bool),
    ctx: Context,
) -> Result<Decision, Refusal> {
    if !world.settings.allow_untagged {
        return Err(Refusal::UntaggedKey);
    }
    person::find(world, user)?;
    if expires <= ctx.now || expires > ctx.now.checked_add(LONGEST).unwrap_or(Timestamp::MAX) {
        return Err(Refusal::OutOfRange { what: "expires", rule: "in the future and at most 366d away" });
    }
    let id = world.next_ids().auth_key;
    let key = AuthKey {
        id,
        role: String::new(),
        tags: None,
        user: Some(user),
        verifier: verifier.clone(),
        created: ctx.now,
        expires,
        reusable,
        ephemeral,
        node_expiry_seconds: None,
        used: 0,
        last_used: None,
        revoked: None,
    };
    Ok(Decision::one(DurableEvent::AuthKeyCreated { key }, Answer::AuthKey(id)))
}

pub(super) fn revoke_auth_key(world: &World, id: AuthKeyId, ctx: Context) -> Result<Decision, Refusal> {
    let key =
        world.auth_keys.get(&id).ok_or_else(|| Refusal::NotFound { noun: "key", name: id.to_string() })?;
    if key.revoked.is_some() {
        return Ok(Decision::nothing(Answer::AuthKey(id)));
    }
    Ok(Decision::one(DurableEvent::AuthKeyRevoked { key: id, at: ctx.now }, Answer::AuthKey(id)))
}

pub(super) fn create_api_key(world: &World, command: &Command, ctx: Context) -> Result<Decision, Refusal> {
    let Command::CreateApiKey { description, verifier, scopes, expires, by } = command else {
        return Ok(Decision::nothing(Answer::Done));
    };
    if *expires <= ctx.now || *expires > ctx.now.checked_add(LONGEST).unwrap_or(Timestamp::MAX) {
        return Err(Refusal::OutOfRange { what: "expires", rule: "in the future and at most 366d away" });
    }
    let held = match by {
        None => Scopes::all(),
        Some(id) => {
            let maker = find_api_key(world, *id)?;
            if maker.is_good(ctx.now) { maker.scopes.clone() } else { Scopes::default() }
        }
    };
    let scopes = scopes.clone().unwrap_or_else(|| held.clone());
    if scopes.is_empty() {
        return Err(Refusal::OutOfRange { what: "scopes", rule: "at least one scope" });
    }
    let lacking = held.lacking(&scopes);
    if !lacking.is_empty() {
        return Err(Refusal::WiderThanCaller { scopes: lacking });
    }
    let id = world.next_ids().api_key;
    let key = ApiKey {
        id,
        description: wire::plain(description),
        verifier: verifier.clone(),
        scopes,
        created: ctx.now,
        expires: *expires,
        last_used: None,
        revoked: None,
    };
    Ok(Decision::one(DurableEvent::ApiKeyCreated { key }, Answer::ApiKey(id)))
}

pub(super) fn revoke_api_key(
    world: &World,
    id: ApiKeyId,
    by: Option<ApiKeyId>,
    ctx: Context,
) -> Result<Decision, Refusal> {
    let key = find_api_key(world, id)?;
    if key.revoked.is_some() {
        return Ok(Decision::nothing(Answer::ApiKey(id)));
    }
    if by == Some(id) && is_last_of_its_kind(world, key, ctx.now) {
        return Err(Refusal::LastAdmin);
    }
    Ok(Decision::one(DurableEvent::ApiKeyRevoked { key: id, at: ctx.now }, Answer::ApiKey(id)))
}

/// Whether nothing is left behind it that could make such a key again.
fn is_last_of_its_kind(world: &World, key: &ApiKey, now: Timestamp) -> bool {
    let mints = Scope::of("apikey", true).is_some_and(|scope| key.scopes.cover(scope));
    let as_good = |other: &ApiKey| {
        other.id != key.id && other.is_good(now) && other.scopes.lacking(&key.scopes).is_empty()
    };
    mints && !world.api_keys.values().any(|other| as_good(other))
}

fn find_api_key(world: &World, id: ApiKeyId) -> Result<&ApiKey, Refusal> {
    let found = world.api_keys.get(&id).map(AsRef::as_ref);
    found.ok_or_else(|| Refusal::NotFound { noun: "API key", name: id.to_string() })
}

pub(super) fn used_api_key(world: &World, id: ApiKeyId, ctx: Context) -> Result<Decision, Refusal> {
    find_api_key(world, id)?;
    Ok(Decision::one(VolatileEvent::ApiKeyUsed { key: id, at: ctx.now }, Answer::ApiKey(id)))
}

pub(super) fn note_refusal(noun: &str, operation: &str, code: &str, left_out: u64) -> Decision {
    let event = DurableEvent::CallRefused {
        noun: noun.to_owned(),
        operation: operation.to_owned(),
        code: code.to_owned(),
        left_out,
    };
    Decision::one(event, Answer::Done)
}

pub(super) fn note_notice(text: Option<&str>) -> Result<Decision, Refusal> {
    let fits = |text: &str| (1..=500).contains(&text.len()) && !text.chars().any(char::is_control);
    if !text.is_none_or(fits) {
        return Err(Refusal::OutOfRange { what: "text", rule: "one line of 1 to 500 bytes" });
    }
    let event = DurableEvent::NoticeGiven { text: text.map(str::to_owned) };
    Ok(Decision::one(event, Answer::Done))
}

pub(super) fn note_backup(recipients: &[String]) -> Result<Decision, Refusal> {
    let fits = |text: &String| !text.is_empty() && text.len() <= 4096 && !text.chars().any(char::is_control);
    if !(1..=64).contains(&recipients.len()) || !recipients.iter().all(fits) {
        let rule = "1 to 64 public keys, each a line of at most 4096 bytes";
        return Err(Refusal::OutOfRange { what: "recipients", rule });
    }
    let event = DurableEvent::BackupMade { recipients: recipients.to_vec() };
    Ok(Decision::one(event, Answer::Done))
}

pub(super) fn note_key_rotated(key: MachineKey, before: MachineKey, ctx: Context) -> Decision {
    Decision::one(DurableEvent::ServerKeyRotated { key, before, at: ctx.now }, Answer::Done)
}

pub(super) fn note_key_retired(key: MachineKey, left_behind: &[NodeId]) -> Decision {
    let event = DurableEvent::ServerKeyRetired { key, left_behind: left_behind.to_vec() };
    Decision::one(event, Answer::Done)
}

/// A policy may not take away a tag that a role gives.
pub(super) fn set_policy(world: &World, prepared: &Prepared, message: &str) -> Result<Decision, Refusal> {
    if world.policy == *prepared {
        return Ok(Decision::nothing(Answer::Done));
    }
    for role in world.roles.values() {
        if let Some(tag) = role.tags.as_slice().iter().find(|t| !prepared.policy.defines_tag(t)) {
            let by = format!("role {}", role.name);
            return Err(Refusal::InUse { noun: "tag", name: tag.to_string(), by });
        }
    }
    let message = message.chars().filter(|c| !c.is_control()).collect();
    let event = DurableEvent::PolicySet { policy: prepared.clone(), message };
    Ok(Decision::one(event, Answer::Done))
}

/// Refuses when another policy has come into force since the one that was looked at.
pub(super) fn replace_policy(
    world: &World,
    over: &Prepared,
    prepared: &Prepared,
    message: &str,
) -> Result<Decision, Refusal> {
    if world.policy != *over {
        return Err(Refusal::PolicyChanged);
    }
    if message.len() > LONGEST_MESSAGE {
        return Err(Refusal::OutOfRange { what: "message", rule: "at most 500 bytes" });
    }
    set_policy(world, prepared, message)
}

fn find_role<'a>(world: &'a World, name: &str) -> Result<&'a Role, Refusal> {
    world
        .roles
        .get(name)
        .map(AsRef::as_ref)
        .ok_or_else(|| Refusal::NotFound { noun: "role", name: name.to_owned() })
}

fn role_expiry(role: &Role, now: Timestamp) -> Timestamp {
    let seconds = i64::try_from(role.key.expiry_seconds).unwrap_or(i64::MAX);
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
