//! Pre-auth keys.

use api::{
    Changed,
    key::{
        Access, CREATE, Create, Created, Key, Keys, LIST, One, Opening, PREVIEW, Plaintext, Preview,
        Previewed, REVOKE, VERIFY, Verdict, Verify,
    },
};
use ident::{AuthKeyId, Secret, Tag};
use jiff::{SignedDuration, Timestamp};
use world::{Answer, AuthKey, Command, NonEmpty, Refusal, World};

use super::{Routes, call::Call, refused::Refused, serve, user};
use crate::keyring::mint;

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(routes, &LIST, list);
    let routes = serve(routes, &CREATE, create);
    let routes = serve(routes, &PREVIEW, preview);
    let routes = serve(routes, &VERIFY, verify);
    serve(routes, &REVOKE, revoke)
}

async fn list(call: Call, (): ()) -> Result<Keys, Refused> {
    Ok(Keys { keys: call.world.auth_keys.values().map(|k| view(&call.world, k)).collect() })
}

async fn create(call: Call, input: Create) -> Result<Changed<Created>, Refused> {
    let found = call.world.roles.get(&input.role).cloned();
    let Some(role) = found else {
        return Err(Refusal::NotFound { noun: "role", name: input.role }.into());
    };
    let user = input.user.as_deref().map(|name| call.user(name)).transpose()?.map(|u| u.id);
    let secret = mint();
    let command = Command::CreateAuthKey {
        role: input.role,
        user,
        verifier: call.doors.keyring.verifier(&secret),
        expires: input
            .expiry_seconds
            .filter(|s| *s != role.key.expiry_seconds)
            .map(in_seconds)
            .transpose()?,
        reusable: input.reusable,
        ephemeral: input.ephemeral,
        allow_no_access: input.allow_no_access,
    };
    let outcome = call.carry_out(command).await?;
    let access = access(&outcome.world, role.tags.as_slice());
    let (true, Answer::AuthKey(id)) = (!call.is_check(), outcome.answer) else {
        return Ok(call.answer(outcome.changed, Created { key: None, secret: None, access }));
    };
    let key = outcome.world.auth_keys.get(&id).map(|k| view(&outcome.world, k));
    let secret = Some(Plaintext::new(format!("mk-auth-{id}-{}", secret.expose())));
    Ok(call.answer(outcome.changed, Created { key, secret, access }))
}

async fn preview(call: Call, input: Preview) -> Result<Previewed, Refused> {
    let world = &call.world;
    let tags = match (input.role, input.key, input.tags) {
        (Some(name), None, None) => {
            let role = world.roles.get(&name).ok_or(Refusal::NotFound { noun: "role", name })?;
            role.tags.as_slice().to_vec()
        }
        (None, Some(id), None) => {
            let missing = || Refusal::NotFound { noun: "key", name: id.to_string() };
            world.auth_keys.get(&id).ok_or_else(missing)?.tags().to_vec()
        }
        (None, None, Some(tags)) => tags,
        _ => return Err(Refused::bad_request("say one of role, key and tags")),
    };
    if let Some(tag) = tags.iter().find(|tag| !world.policy.policy.defines_tag(tag)) {
        return Err(Refusal::UnknownTag { tag: tag.clone() }.into());
    }
    let Some(tags) = NonEmpty::new(tags) else {
        return Err(Refused::bad_request(
            "without tags a device is a person's, and has that person's rights",
        ));
    };
    let tags = tags.as_slice();
    let opens_something = !world.classes.compiled().opens(tags).is_nothing();
    Ok(Previewed { tags: tags.to_vec(), opens_something, access: access(world, tags) })
}

async fn verify(call: Call, input: Verify) -> Result<Verdict, Refused> {
    let no = |reason: &str, key| Verdict { works: false, reason: Some(reason.to_owned()), key };
    let proof = call.doors.prove(&Secret::new(input.secret.expose().to_owned()));
    let known =
        proof.and_then(|p| call.world.auth_keys.get(&p.id).filter(|k| k.verifier.matches(&p.verifier)));
    let Some(known) = known else { return Ok(no("no key of this server", None)) };
    let key = Some(view(&call.world, known));
    Ok(match unusable(known) {
        Some(why) => no(why, key),
        None => Verdict { works: true, reason: None, key },
    })
}

async fn revoke(call: Call, (): ()) -> Result<Changed<One>, Refused> {
    let missing = || Refusal::NotFound { noun: "key", name: call.name.clone() };
    let id: AuthKeyId = call.name.parse().map_err(|_| missing())?;
    let outcome = call.carry_out(Command::RevokeAuthKey { id }).await?;
    let key = outcome.world.auth_keys.get(&id).ok_or_else(missing)?;
    Ok(call.answer(outcome.changed, One { key: view(&outcome.world, key) }))
}

/// Why the key lets nothing in now; none when it does.
pub(super) fn unusable(key: &AuthKey) -> Option<&'static str> {
    match key {
        AuthKey { revoked: Some(_), .. } => Some("revoked"),
        key if key.expires <= Timestamp::now() => Some("expired"),
        AuthKey { reusable: false, used: 1.., .. } => Some("used"),
        _ => None,
    }
}

/// That long from now.
pub(super) fn in_seconds(seconds: u64) -> Result<Timestamp, Refusal> {
    let length = i64::try_from(seconds).ok().map(SignedDuration::from_secs);
    length
        .and_then(|l| Timestamp::now().checked_add(l).ok())
        .ok_or(Refusal::OutOfRange { what: "expiry_seconds", rule: "less than a year" })
}

pub(super) fn access(world: &World, tags: &[Tag]) -> Access {
    let compiled = world.classes.compiled();
    let reach = compiled.reach(tags);
    let opening = |peer: String, ports: String, proto: String| {
        let proto = if proto.is_empty() { "tcp,udp,icmp".to_owned() } else { proto };
        Opening { peer, ports, proto }
    };
    Access {
        may_reach: reach.reaches.into_iter().map(|l| opening(l.to, l.ports, l.proto)).collect(),
        reached_by: reach.reached_by.into_iter().map(|l| opening(l.from, l.ports, l.proto)).collect(),
        approves: compiled.opens(tags).approves_for,
    }
}

fn view(world: &World, key: &AuthKey) -> Key {
    Key {
        id: key.id,
        masked: format!("mk-auth-{}-…", key.id),
        role: key.role.clone(),
        tags: key.tags().to_vec(),
        user: user::login(world, key.user),
        created: key.created,
        expires: key.expires,
        reusable: key.reusable,
        ephemeral: key.ephemeral,
        used_count: key.used,
        last_used: key.last_used,
        revoked: key.revoked,
    }
}
