//! People.

use api::v1::{
    Nothing,
    user::{CREATE, Create, DELETE, LIST, List, One, RENAME, Rename, User, Users, Which},
};
use ident::UserId;
use serde_json::Value;
use world::{Answer as Decided, Command, Refusal};

use super::{
    super::{Routes, call::Call, call::Outcome, refused::Refused},
    Answer, serve,
    unfit::Unfit,
};

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(routes, &LIST, list);
    let routes = serve(routes, &CREATE, create);
    let routes = serve(routes, &RENAME, rename);
    serve(routes, &DELETE, delete)
}

async fn list(call: Call, asked: List) -> Answer<Users> {
    let fits = |user: &&User| {
        (asked.id == 0 || user.id == asked.id)
            && (asked.name.is_empty() || user.name == asked.name)
            && (asked.email.is_empty() || user.email == asked.email)
    };
    let users: Vec<User> = call.world.users.values().map(|u| view(u)).collect();
    let mut users: Vec<User> = users.iter().filter(fits).cloned().collect();
    users.sort_by_key(|user| user.id);
    Ok(Users { users })
}

async fn create(call: Call, input: Create) -> Answer<One> {
    let Create { name, display_name, email, picture_url: _ } = input;
    if name.is_empty() {
        return Err(Unfit::member("body.name", Value::Null, "the person needs a name"));
    }
    if !email.is_empty() && email != name {
        let message = "a person has one login here: put the address into name, or leave email out";
        return Err(Unfit::member("body.email", email.into(), message));
    }
    let outcome = call.carry_out(Command::CreateUser { login: name.clone(), display_name }).await?;
    if !outcome.changed {
        return Err(Refusal::Exists { noun: "user", name }.into());
    }
    one(&outcome)
}

async fn rename(call: Call, input: Rename) -> Answer<One> {
    let id = find(&call, "path.oldId", input.old_id)?;
    one(&call.carry_out(Command::RenameUser { id, login: input.new_name }).await?)
}

async fn delete(call: Call, input: Which) -> Answer<Nothing> {
    let id = find(&call, "path.id", input.id)?;
    call.carry_out(Command::DeleteUser { id }).await?;
    Ok(Nothing {})
}

fn one(outcome: &Outcome) -> Answer<One> {
    let Decided::User(id) = outcome.answer else {
        return Err(Refused::fault(&"no user in the answer").into());
    };
    let user = outcome.world.users.get(&id).ok_or_else(|| Refused::not_found("the user is gone already"))?;
    Ok(One { user: Some(view(user)) })
}

/// The person with this number.
pub(super) fn find(call: &Call, location: &str, number: u64) -> Answer<UserId> {
    let id = UserId::new(number).map_err(|e| Unfit::member(location, number.into(), e.to_string()))?;
    match call.world.users.contains_key(&id) {
        true => Ok(id),
        false => Err(Refusal::NotFound { noun: "user", name: id.to_string() }.into()),
    }
}

pub(super) fn view(user: &world::User) -> User {
    User {
        id: user.id.get(),
        name: user.login.clone(),
        created_at: Some(user.created.into()),
        display_name: user.display_name.clone(),
        email: if user.login.contains('@') { user.login.clone() } else { String::new() },
        ..User::default()
    }
}
