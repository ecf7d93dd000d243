//! People.

use api::{
    Changed,
    user::{CREATE, Create, DELETE, LIST, One, RENAME, Rename, SHOW, User, Users},
};
use ident::UserId;
use world::{Answer, Command, World};

use super::{Routes, call::Call, call::Outcome, refused::Refused, serve};

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(routes, &LIST, list);
    let routes = serve(routes, &SHOW, show);
    let routes = serve(routes, &CREATE, create);
    let routes = serve(routes, &RENAME, rename);
    serve(routes, &DELETE, delete)
}

async fn list(call: Call, (): ()) -> Result<Users, Refused> {
    let mut users: Vec<_> = call.world.users.values().map(|u| view(&call.world, u)).collect();
    users.sort_by(|a, b| a.login.cmp(&b.login));
    Ok(Users { users })
}

async fn show(call: Call, (): ()) -> Result<One, Refused> {
    let user = call.user(&call.name)?;
    Ok(One { user: view(&call.world, &user) })
}

async fn create(call: Call, input: Create) -> Result<Changed<One>, Refused> {
    let Create { login, display_name } = input;
    if let Some(known) = call.world.user_by_login(&login)
        && display_name.as_ref().is_none_or(|name| *name == known.display_name)
    {
        return Ok(call.answer(false, One { user: view(&call.world, known) }));
    }
    let command = Command::CreateUser { login, display_name: display_name.unwrap_or_default() };
    let outcome = call.carry_out(command).await?;
    changed(&call, outcome)
}

async fn rename(call: Call, input: Rename) -> Result<Changed<One>, Refused> {
    let id = call.user(&call.name)?.id;
    let outcome = call.carry_out(Command::RenameUser { id, login: input.login }).await?;
    changed(&call, outcome)
}

async fn delete(call: Call, (): ()) -> Result<Changed<One>, Refused> {
    let user = call.user(&call.name)?;
    let outcome = call.carry_out(Command::DeleteUser { id: user.id }).await?;
    Ok(call.answer(outcome.changed, One { user: view(&call.world, &user) }))
}

fn changed(call: &Call, outcome: Outcome) -> Result<Changed<One>, Refused> {
    let Answer::User(id) = outcome.answer else { return Err(Refused::fault(&"no user in the answer")) };
    let user = outcome.world.users.get(&id).ok_or_else(|| Refused::not_found("the user is gone already"))?;
    Ok(call.answer(outcome.changed, One { user: view(&outcome.world, user) }))
}

/// Login of a person, for views of other things.
pub(super) fn login(world: &World, id: Option<UserId>) -> Option<String> {
    world.users.get(&id?).map(|u| u.login.clone())
}

fn view(world: &World, user: &world::User) -> User {
    let is_theirs = |n: &&std::sync::Arc<world::Node>| n.owner.user().or(n.responsible) == Some(user.id);
    User {
        id: user.id,
        login: user.login.clone(),
        display_name: user.display_name.clone(),
        created: user.created,
        node_count: world.nodes.iter().filter(is_theirs).count() as u64,
    }
}
