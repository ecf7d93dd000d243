//! What may happen: a World and a command give events and an answer, or a refusal. Changes nothing.

mod access;
mod address;
mod approve;
mod dns;
mod lifetime;
mod name;
mod node;
mod person;
mod presence;
mod register;
mod report;
mod route;

pub use dns::{Bootstrap, dangers as dns_dangers};
pub(crate) use route::settle;

use crate::{Answer, Command, Context, Event, Refusal, Settings, VolatileEvent, World};

/// Events in the order in which they apply, and the answer once they are stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// None when there is nothing to do.
    pub events: Vec<Event>,
    /// For the caller.
    pub answer: Answer,
}

impl Decision {
    fn nothing(answer: Answer) -> Self {
        Self { events: Vec::new(), answer }
    }
    fn one(event: impl Into<Event>, answer: Answer) -> Self {
        Self { events: vec![event.into()], answer }
    }
}

/// Decides one command against one World.
pub fn decide(world: &World, command: &Command, ctx: Context) -> Result<Decision, Refusal> {
    use Command as C;
    match command {
        C::Register(registration) => register::register(world, registration, ctx),
        C::ApproveLogin { login, owner } => approve::approve(world, login, owner, ctx),
        C::DenyLogin { login } => approve::deny(world, login),
        C::Logout { machine, node_key } => register::logout(world, *machine, *node_key),
        C::Report(report) => report::report(world, report, ctx),
        C::StreamOpened { node, instance, epoch } => presence::opened(world, *node, *instance, *epoch),
        C::StreamClosed { node, instance, epoch } => presence::closed(world, *node, *instance, *epoch, ctx),
        C::Questioned { node, instance, epoch, answered } => {
            presence::questioned(world, *node, *instance, *epoch, *answered)
        }
        C::ExpectReturn { nodes, until } => Ok(presence::expect_return(world, nodes, *until, ctx)),
        C::TakeSettings { settings } => take_settings(world, settings),
        C::Tick => Ok(lifetime::tick(world, ctx)),
        C::CreateUser { login, display_name } => person::create(world, login, display_name, ctx),
        C::RenameUser { id, login } => person::rename(world, *id, login),
        C::DeleteUser { id } => person::delete(world, *id),
        C::RenameNode { id, name } => node::rename(world, *id, name),
        C::TagNode { id, tags } => node::tag(world, *id, tags),
        C::ExpireNode { id } => lifetime::expire(world, *id, ctx),
        C::SetNodeExpiry { id, expiry } => lifetime::set(world, *id, *expiry, ctx),
        C::MoveNode { id, user } => lifetime::move_to(world, *id, *user, ctx),
        C::ConfirmLogin { from, to, user, allowed } => node::confirm(world, *from, *to, user, *allowed),
        C::DeleteNode { id } => node::delete(world, *id),
        C::ApproveRoutes { id, routes } => route::approve(world, *id, routes),
        C::SetRole { role } => access::set_role(world, role),
        C::DeleteRole { name } => access::delete_role(world, name),
        C::ApplyRoles { roles, prune } => access::apply_roles(world, roles, *prune),
        C::CreateAuthKey { .. } => access::create_auth_key(world, command, ctx),
        C::CreateUntaggedKey { user, verifier, expires, reusable, ephemeral } => {
            access::create_untagged_key(world, *user, verifier, *expires, (*reusable, *ephemeral), ctx)
        }
        C::RevokeAuthKey { id } => access::revoke_auth_key(world, *id, ctx),
        C::CreateApiKey { .. } => access::create_api_key(world, command, ctx),
        C::RevokeApiKey { id, by } => access::revoke_api_key(world, *id, *by, ctx),
        C::UsedApiKey { id } => access::used_api_key(world, *id, ctx),
        C::NoteRefusal { noun, operation, code, left_out } => {
            Ok(access::note_refusal(noun, operation, code, *left_out))
        }
        C::NoteNotice { text } => access::note_notice(text.as_deref()),
        C::AcknowledgeNotice { id } => node::acknowledge(world, *id),
        C::NoteHealth { id, state, failing } => node::note_health(world, *id, state, failing),
        C::NoteBackup { recipients } => access::note_backup(recipients),
        C::NoteKeyRotated { key, before } => Ok(access::note_key_rotated(*key, *before, ctx)),
        C::NoteKeyRetired { key, left_behind } => Ok(access::note_key_retired(*key, left_behind)),
        C::SetPolicy { prepared } => access::set_policy(world, prepared, ""),
        C::ReplacePolicy { over, prepared, message } => {
            access::replace_policy(world, over, prepared, message)
        }
        C::EditDns { edit, bootstrap, force } => dns::edit(world, edit, bootstrap, *force),
        C::SetDnsRecord { name, addresses, bootstrap, force } => {
            dns::set_record(world, name, addresses, bootstrap, *force)
        }
        C::DeleteDnsRecord { name } => dns::delete_record(world, name),
        C::ReadDnsRecords { records, bootstrap } => dns::read_records(world, records, bootstrap),
    }
}

/// All but the domain, which is part of every name that clients hold.
fn take_settings(world: &World, settings: &Settings) -> Result<Decision, Refusal> {
    if settings.domain != world.settings.domain {
        return Err(Refusal::OutOfRange { what: "domain", rule: "the one that the server started with" });
    }
    if settings.own_addresses != world.settings.own_addresses {
        let rule = "those that the server started with";
        return Err(Refusal::OutOfRange { what: "addresses of the server", rule });
    }
    if *settings == *world.settings {
        return Ok(Decision::nothing(Answer::Done));
    }
    let event = VolatileEvent::SettingsTaken { settings: Box::new(settings.clone()) };
    Ok(Decision::one(event, Answer::Done))
}
