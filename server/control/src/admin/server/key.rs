//! The server's Noise key: who uses which, another one, an end of the one before.

use api::{
    Changed, code,
    server_key::{Device, Previous, RETIRE, ROTATE, Retire, SHOW, ServerKey, Uses},
};
use jiff::Timestamp;
use tokio::sync::OwnedMutexGuard;
use world::{Command, Node, Presence};

use crate::{
    admin::{Routes, call::Call, refused::Refused, serve},
    keyring::{Accepting, KeyringError, NoiseKeys},
    quota::Spent,
};

/// Names that one line has room for.
const NAMED: usize = 5;
/// When to ask again while a backup is being made.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(10);

pub(super) fn add(routes: Routes) -> Routes {
    serve(serve(serve(routes, &SHOW, show), &ROTATE, rotate), &RETIRE, retire)
}

/// What an operator should know while two keys are accepted.
pub(super) fn warning(call: &Call) -> Option<String> {
    let previous = told(call).previous?;
    let left = previous.in_the_way().count();
    Some(match left {
        0 => "no device uses the server's previous Noise key: `meshctl server key retire` ends it".to_owned(),
        _ => format!(
            "{} use the server's previous Noise key or were not seen since it was rotated: {}; `meshctl server key list`",
            devices(left),
            named(&previous)
        ),
    })
}

async fn show(call: Call, (): ()) -> Result<ServerKey, Refused> {
    Ok(told(&call))
}

async fn rotate(call: Call, (): ()) -> Result<Changed<ServerKey>, Refused> {
    to_the_end(rotated(call)).await
}

async fn retire(call: Call, input: Retire) -> Result<Changed<ServerKey>, Refused> {
    to_the_end(retired(call, input)).await
}

/// Database, files and memory change together, also when the caller goes away meanwhile.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refused>> + Send + 'static,
) -> Result<T, Refused> {
    tokio::spawn(work).await.map_err(|e| Refused::fault(&e))?
}

async fn rotated(call: Call) -> Result<Changed<ServerKey>, Refused> {
    let _alone = alone(&call)?;
    let accepting = call.doors.keyring.noise.accepting();
    if accepting.previous.is_some() {
        let hint =
            "`meshctl server key list` says who uses the one before, `meshctl server key retire` ends it";
        let refused =
            Refused::conflict(code::TWO_KEYS, "the server was given another key already, and accepts both");
        return Err(refused.hinted(Some(hint.to_owned())));
    }
    let before = accepting.current.public();
    if call.is_check() {
        call.carry_out(Command::NoteKeyRotated { key: before, before }).await?;
        return Ok(call.answer(true, told(&call)));
    }
    let prepared = files(&call, NoiseKeys::prepare).await?;
    let key = prepared.public();
    if let Err(refused) = call.carry_out(Command::NoteKeyRotated { key, before }).await {
        // What nobody knows is left to the next start, which asks the database.
        if refused.code() != code::OUTCOME_UNKNOWN {
            files(&call, |keys| keys.discard(prepared)).await?;
        }
        return Err(refused);
    }
    let world = call.doors.hub.world();
    let connected = world.nodes.iter().filter(|n| matches!(n.live.presence, Presence::Connected { .. }));
    let connected: Vec<_> = connected.map(|node| node.machine).collect();
    put(&call, move |keys| keys.rotated(prepared, &connected, Timestamp::now())).await;
    tracing::info!(%key, %before, "the server has another Noise key; the one before is accepted too");
    Ok(call.answer(true, told(&call)))
}

async fn retired(call: Call, input: Retire) -> Result<Changed<ServerKey>, Refused> {
    let _alone = alone(&call)?;
    let now = told(&call);
    let Some(previous) = &now.previous else { return Ok(call.answer(false, now)) };
    let left: Vec<_> = previous.in_the_way().map(|device| device.id).collect();
    if !left.is_empty() && !input.force {
        let detail = format!(
            "{} use the previous key (or were not seen since it was rotated): {}",
            devices(left.len()),
            named(previous)
        );
        let hint =
            "start tailscaled again there, or delete the devices; --force cuts them off until that is done";
        return Err(Refused::conflict(code::KEY_IN_USE, detail).hinted(Some(hint.to_owned())));
    }
    let key = previous.key;
    call.carry_out(Command::NoteKeyRetired { key, left_behind: left }).await?;
    if call.is_check() {
        return Ok(call.answer(true, ServerKey { previous: None, ..now }));
    }
    put(&call, NoiseKeys::retired).await;
    tracing::info!(%key, "the server's previous Noise key is accepted no more");
    Ok(call.answer(true, told(&call)))
}

/// A backup taken meanwhile would hold keys of one moment and the database of another.
fn alone(call: &Call) -> Result<OwnedMutexGuard<()>, Refused> {
    call.doors.backups.clone().try_lock_owned().map_err(|_| Refused::too_often(Spent(AGAIN)))
}

async fn files<T: Send + 'static>(
    call: &Call,
    work: impl FnOnce(&NoiseKeys) -> Result<T, KeyringError> + Send + 'static,
) -> Result<T, Refused> {
    let keyring = call.doors.keyring.clone();
    let done = tokio::task::spawn_blocking(move || work(&keyring.noise)).await;
    done.map_err(|e| Refused::fault(&e))?.map_err(|e| Refused::fault(&e))
}

/// What is decided holds; a file that is not in its place then is put there by the next start.
async fn put(call: &Call, work: impl FnOnce(&NoiseKeys) -> Result<(), KeyringError> + Send + 'static) {
    if files(call, work).await.is_err() {
        tracing::error!("a key file could not be put in its place; the next start does it");
    }
}

fn told(call: &Call) -> ServerKey {
    let keys = &call.doors.keyring.noise;
    let accepting = keys.accepting();
    let key = accepting.current.public();
    let Some((before, since)) = &accepting.previous else { return ServerKey { key, previous: None } };
    let world = call.doors.hub.world();
    let mut devices: Vec<_> = world.nodes.iter().map(|node| device(keys, &accepting, node)).collect();
    devices.sort_by(|a, b| (a.uses, &a.name).cmp(&(b.uses, &b.name)));
    let count = |uses| devices.iter().filter(|device| device.uses == uses).count() as u64;
    let (using, unseen) = (count(Uses::Old), count(Uses::Unseen));
    ServerKey {
        key,
        previous: Some(Previous { key: before.public(), since: *since, using, unseen, devices }),
    }
}

fn device(keys: &NoiseKeys, accepting: &Accepting, node: &Node) -> Device {
    let seen = keys.uses.of(&node.machine);
    let uses = match seen {
        None => Uses::Unseen,
        Some((key, _)) if key == accepting.current.public() => Uses::New,
        Some(_) => Uses::Old,
    };
    let (id, name) = (node.id, node.name.clone());
    Device { id, name, online: node.online(), uses, since: seen.map(|(_, at)| at) }
}

fn devices(many: usize) -> String {
    if many == 1 { "1 device may".to_owned() } else { format!("{many} devices may") }
}

fn named(previous: &Previous) -> String {
    let names: Vec<_> = previous.in_the_way().map(|device| device.name.as_str()).collect();
    let more = names.len().saturating_sub(NAMED);
    let first = names[..names.len() - more].join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}
