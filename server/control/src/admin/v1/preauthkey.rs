//! Pre-auth keys. Every key is of a role: the one that has exactly the tags that are asked for. Where the configuration
//! allows it, a key without tags is a person's.

use std::cmp::Reverse;

use api::v1::{
    Nothing,
    preauthkey::{
        Access, CREATE, Create, Created, DELETE, EXPIRE, LIST, List, Opening, PreAuthKey, PreAuthKeys, Which,
    },
};
use ident::{AuthKeyId, Tag, UserId};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use world::{Answer as Decided, AuthKey, Command, NonEmpty, Role, Verifier, World};

use super::{
    super::{Routes, call::Call, key, refused::Refused},
    Answer,
    node::{moment, parse_tags},
    serve,
    unfit::Unfit,
    user,
};
use crate::keyring::mint;

/// A clock may be ahead of the server's by so much: a key that is to last as long as its role says is not refused for it.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);
/// How long a key without tags is good when nobody says it.
const UNTAGGED_LASTS: SignedDuration = SignedDuration::from_hours(1);

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(routes, &LIST, list);
    let routes = serve(routes, &CREATE, create);
    let routes = serve(routes, &EXPIRE, void);
    serve(routes, &DELETE, void)
}

async fn list(call: Call, asked: List) -> Answer<PreAuthKeys> {
    let whose = match asked.user {
        0 => None,
        number => Some(user::find(&call, "query.user", number)?),
    };
    let keys = call.world.auth_keys.values().filter(|key| whose.is_none() || key.user == whose);
    Ok(PreAuthKeys { pre_auth_keys: keys.map(|key| view(&call.world, key)).collect() })
}

async fn create(call: Call, asked: Create) -> Answer<Created> {
    let tags = parse_tags("body.aclTags", &asked.acl_tags)?;
    let expires = moment("body.expiration", asked.expiration)?;
    let user = match asked.user {
        0 => None,
        number => Some(user::find(&call, "body.user", number)?),
    };
    let secret = mint();
    let verifier = call.doors.keyring.verifier(&secret);
    let command = if tags.is_empty() && call.world.settings.allow_untagged {
        untagged(&asked, user, expires, verifier)?
    } else {
        of_role(role(&call.world, tags, asked.reusable, expires)?, &asked, user, expires, verifier)
    };
    let outcome = call.carry_out(command).await?;
    let Decided::AuthKey(id) = outcome.answer else {
        return Err(Refused::fault(&"no key in the answer").into());
    };
    let made =
        outcome.world.auth_keys.get(&id).ok_or_else(|| Refused::not_found("the key is gone already"))?;
    let mut pre_auth_key = view(&outcome.world, made);
    pre_auth_key.key = format!("mk-auth-{id}-{}", secret.expose());
    let access = made.tags.as_ref().map(|tags| access(&outcome.world, tags.as_slice()));
    Ok(Created { pre_auth_key: Some(pre_auth_key), access })
}

fn of_role(
    role: &Role,
    asked: &Create,
    user: Option<UserId>,
    expires: Option<Timestamp>,
    verifier: Verifier,
) -> Command {
    let latest = latest(role);
    let is_latest = |at: &Timestamp| latest.duration_until(*at).abs() < AHEAD;
    Command::CreateAuthKey {
        role: role.name.clone(),
        user,
        verifier,
        expires: expires.filter(|at| !is_latest(at)),
        reusable: Some(asked.reusable),
        ephemeral: asked.ephemeral.then_some(true),
        allow_no_access: false,
    }
}

fn untagged(
    asked: &Create,
    user: Option<UserId>,
    expires: Option<Timestamp>,
    verifier: Verifier,
) -> Answer<Command> {
    let nobody = "a key without aclTags is a person's: their id is needed";
    let user = user.ok_or_else(|| Unfit::member("body.user", Value::Null, nobody))?;
    let expires = match expires {
        Some(at) => at,
        None => Timestamp::now().checked_add(UNTAGGED_LASTS).unwrap_or(Timestamp::MAX),
    };
    let (reusable, ephemeral) = (asked.reusable, asked.ephemeral);
    Ok(Command::CreateUntaggedKey { user, verifier, expires, reusable, ephemeral })
}

async fn void(call: Call, asked: Which) -> Answer<Nothing> {
    let id = id(&asked)?;
    call.carry_out(Command::RevokeAuthKey { id }).await?;
    Ok(Nothing {})
}

/// By number, or as older tools say it: by its text, whole or masked.
fn id(asked: &Which) -> Answer<AuthKeyId> {
    if asked.key.is_empty() {
        let missing = |e: ident::IdError| Unfit::member("body.id", asked.id.into(), e.to_string());
        return AuthKeyId::new(asked.id).map_err(missing);
    }
    let id = asked.key.strip_prefix("mk-auth-").and_then(|rest| rest.split('-').next()?.parse().ok());
    id.ok_or_else(|| Unfit::member("body.key", Value::Null, "no key of this server: mk-auth-ID-…"))
}

/// The role with exactly these tags; where there are several, one that allows what is asked.
fn role(world: &World, tags: Vec<Tag>, reusable: bool, expires: Option<Timestamp>) -> Answer<&Role> {
    let roles = world.roles.values().map(|role| {
        let tags: Vec<_> = role.tags.as_slice().iter().map(ToString::to_string).collect();
        format!("{} ({})", role.name, tags.join(", "))
    });
    let known = match roles.collect::<Vec<_>>().join("; ") {
        none if none.is_empty() => "there is none yet: make one with `meshctl role set`".to_owned(),
        some => some,
    };
    let Some(tags) = NonEmpty::new(tags) else {
        let message = format!("a key here has the tags of a role, and none are named; roles: {known}");
        return Err(Unfit::member("body.aclTags", Value::Array(Vec::new()), message));
    };
    let allows = |role: &&Role| {
        let is_soon = |at: Timestamp| at.duration_since(latest(role)) < AHEAD;
        (role.key.reusable || !reusable) && expires.is_none_or(is_soon)
    };
    let fitting = world.roles.values().map(AsRef::as_ref).filter(|role| role.tags == tags);
    let texts: Vec<String> = tags.as_slice().iter().map(ToString::to_string).collect();
    let message = format!("no role has exactly these tags; roles: {known}");
    let none = || Unfit::member("body.aclTags", texts.into(), message);
    fitting.min_by_key(|role| Reverse(allows(role))).ok_or_else(none)
}

/// When a key of this role expires that is made now.
fn latest(role: &Role) -> Timestamp {
    let seconds = i64::try_from(role.key.expiry_seconds).unwrap_or(i64::MAX);
    Timestamp::now().checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

fn access(world: &World, tags: &[Tag]) -> Access {
    let access = key::access(world, tags);
    let opening = |o: api::key::Opening| Opening { peer: o.peer, ports: o.ports, proto: o.proto };
    Access {
        may_reach: access.may_reach.into_iter().map(opening).collect(),
        reached_by: access.reached_by.into_iter().map(opening).collect(),
        approves: access.approves,
    }
}

/// Without its secret.
pub(super) fn view(world: &World, key: &AuthKey) -> PreAuthKey {
    let until = key.revoked.map_or(key.expires, |at| at.min(key.expires));
    PreAuthKey {
        user: key.user.and_then(|id| world.users.get(&id)).map(|u| user::view(u)),
        id: key.id.get(),
        key: format!("mk-auth-{}-***", key.id),
        reusable: key.reusable,
        ephemeral: key.ephemeral,
        used: key.used > 0,
        expiration: Some(until.into()),
        created_at: Some(key.created.into()),
        acl_tags: key.tags().iter().map(ToString::to_string).collect(),
    }
}
