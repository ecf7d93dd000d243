//! The test restore: the database opened with the keys beside it.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use api::{
    backup::Proof,
    event::{Bad, Head},
};
use world::{Settings, World};

use super::{BackupError, DATA, DATABASE, scratch::Scratch};
use crate::{
    keyring::{self, Keyring},
    store::Store,
};

/// Opens a copy of what was unpacked in `folder`, as a start would, and reads all of it; `folder` stays as it is.
pub fn prove(folder: &Path) -> Result<Proof, BackupError> {
    opened(folder).map(|opened| opened.proof)
}

/// What a start would find.
pub(super) struct Opened {
    pub(super) proof: Proof,
    pub(super) world: World,
    pub(super) policy: Option<String>,
}

pub(super) fn opened(folder: &Path) -> Result<Opened, BackupError> {
    let scratch = Scratch::inside(folder).map_err(BackupError::io("a folder for the test restore"))?;
    let place = scratch.path();
    copy(&folder.join(DATABASE), &place.join(DATABASE))?;
    let optional = keyring::names_of_some().filter(|name| folder.join(DATA).join(name).is_file());
    for name in keyring::names().chain(optional) {
        copy(&folder.join(DATA).join(name), &place.join(name))?;
    }
    let store = Store::open(&place.join(DATABASE))?;
    let keyring = Keyring::open(place, &store, false)?;
    let verified = store.verify_events()?;
    let world = store.load(Settings::default())?.world;
    let broken = |law: &str| BackupError::Damaged(format!("its database breaks a law: {law}"));
    world.check_invariants().map_err(|law| broken(&law.to_string()))?;
    let accepting = keyring.noise.accepting();
    let proof = Proof {
        database: store.identity()?,
        public_key: accepting.current.public(),
        previous_key: accepting.previous.as_ref().map(|(key, _)| key.public()),
        events: verified.rows,
        head: Head { seq: store.head_seq()?, hash: verified.head },
        first_bad: verified.broken.map(|(seq, reason)| Bad { seq, reason }),
        nodes: world.nodes.len() as u64,
        users: world.users.len() as u64,
        roles: world.roles.len() as u64,
        keys: world.auth_keys.len() as u64,
        apikeys: world.api_keys.len() as u64,
        set_aside: store.set_aside(0)?.1,
    };
    Ok(Opened { proof, world, policy: store.policy_text()? })
}

/// Only its owner may read the copy.
pub(super) fn copy(from: &Path, to: &Path) -> Result<u64, BackupError> {
    let write = || -> io::Result<u64> {
        let mut source = fs::File::open(from)?;
        let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        let bytes = io::copy(&mut source, &mut target)?;
        target.sync_all()?;
        Ok(bytes)
    };
    write().map_err(BackupError::io(from.display().to_string()))
}
