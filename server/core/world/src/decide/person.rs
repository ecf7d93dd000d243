//! People.

use ident::UserId;

use super::Decision;
use crate::{Answer, Context, DurableEvent, Refusal, User, World};

const LOGIN: &str =
    "1 to 254 letters, digits and . _ - + @, at most one @, a letter or digit first, not digits alone";

pub(super) fn create(
    world: &World,
    login: &str,
    display_name: &str,
    ctx: Context,
) -> Result<Decision, Refusal> {
    let display_name = wire::plain(if display_name.is_empty() { login } else { display_name });
    if let Some(known) = world.user_by_login(login).filter(|u| u.display_name == display_name) {
        return Ok(Decision::nothing(Answer::User(known.id)));
    }
    check_login(world, login, None)?;
    let id = world.next_ids().user;
    let user = User { id, login: login.to_owned(), display_name, created: ctx.now };
    Ok(Decision::one(DurableEvent::UserCreated { user }, Answer::User(id)))
}

pub(super) fn rename(world: &World, id: UserId, login: &str) -> Result<Decision, Refusal> {
    let user = find(world, id)?;
    if user.login == login {
        return Ok(Decision::nothing(Answer::User(id)));
    }
    check_login(world, login, Some(id))?;
    Ok(Decision::one(DurableEvent::UserRenamed { user: id, login: login.to_owned() }, Answer::User(id)))
}

pub(super) fn delete(world: &World, id: UserId) -> Result<Decision, Refusal> {
    let user = find(world, id)?;
    let in_use = |by: String| Refusal::InUse { noun: "user", name: user.login.clone(), by };
    if let Some(node) = world.nodes.iter().find(|n| n.owner.user() == Some(id) || n.responsible == Some(id)) {
        return Err(in_use(format!("node {}", node.name)));
    }
    if let Some(key) = world.auth_keys.values().find(|k| k.user == Some(id) && k.revoked.is_none()) {
        return Err(in_use(format!("key {}", key.id)));
    }
    Ok(Decision::one(DurableEvent::UserDeleted { user: id }, Answer::Done))
}

pub(super) fn find(world: &World, id: UserId) -> Result<&User, Refusal> {
    world.users.get(&id).map(AsRef::as_ref).ok_or(Refusal::NotFound { noun: "user", name: id.to_string() })
}

/// A login that nobody but this person has. Policies match logins in any letter case, so case makes no other login.
fn check_login(world: &World, login: &str, person: Option<UserId>) -> Result<(), Refusal> {
    let plain = login.chars().all(|c| c.is_ascii_alphanumeric() || "._-+@".contains(c));
    let starts = login.starts_with(|c: char| c.is_ascii_alphanumeric());
    let number = login.bytes().all(|b| b.is_ascii_digit());
    if number || !plain || !starts || login.len() > 254 || login.matches('@').count() > 1 {
        return Err(Refusal::BadName { noun: "user", name: login.to_owned(), rule: LOGIN });
    }
    let mut others = world.users.values().filter(|user| Some(user.id) != person);
    match others.find(|user| user.login.eq_ignore_ascii_case(login)) {
        Some(_) => Err(Refusal::Exists { noun: "user", name: login.to_owned() }),
        None => Ok(()),
    }
}
