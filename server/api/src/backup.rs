//! Backups: everything that the server is, encrypted before it leaves.

use ident::MachineKey;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    event::{Bad, Head},
    operation::{Changed, Method::*, Operation, in_tailnet},
};

/// Makes a backup: an age file that holds a tar archive of database, keys, relay certificate, configuration and policy as they
/// are at one moment, opened once before it is sent. The header [`MANIFEST`] describes it. With check=true that description is the
/// answer, and nothing is handed out.
pub const CREATE: Operation<Create, Changed<Manifest>> =
    Operation::file("backup", Post, in_tailnet!("/backup"));

/// What a backup would hold: the server copies its database and opens the copy as a start would, and hands nothing out.
pub const PROVE: Operation<(), Manifest> = Operation::read("backup", Get, in_tailnet!("/backup"));

/// The header beside the file: a [`Manifest`] as JSON.
pub const MANIFEST: &str = "meshctl-manifest";

/// For whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BackupCreate")]
pub struct Create {
    /// Who will be able to open it: `age1…`, `ssh-ed25519 …` or `ssh-rsa …`, at least one.
    pub recipients: Vec<String>,
}

/// What a backup holds. It is the archive's first file too, `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// The version of this form.
    pub format: u32,
    /// The moment that the database is as of.
    pub made: Timestamp,
    /// Version of meshctl that made it.
    pub version: String,
    /// What clients are told: `tailscale up --login-server=` this.
    pub server_url: String,
    /// What its test restore found.
    pub proof: Proof,
    /// The files behind this one, in their order.
    pub files: Vec<File>,
    /// Files of the data folder that are not in it: too large, or of a name that cannot be kept.
    #[serde(default)]
    pub left_out: Vec<String>,
}

impl Manifest {
    /// The newest form that this release reads.
    pub const FORMAT: u32 = 1;
}

/// A file of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "BackupFile")]
pub struct File {
    /// Its path in the archive.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of what is in it, in hex.
    pub sha256: String,
}

/// What came of opening the database of a backup with the keys beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proof {
    /// Which database it is: drawn when it was made, the same in every copy.
    pub database: String,
    /// The public Noise key, which clients hold on to.
    pub public_key: MachineKey,
    /// The one before it, when clients may hold on to that too.
    #[serde(default)]
    pub previous_key: Option<MachineKey>,
    /// Entries of the log.
    pub events: u64,
    /// The newest of them.
    pub head: Head,
    /// The first entry that does not fit the chain; null when all do.
    pub first_bad: Option<Bad>,
    /// Devices.
    pub nodes: u64,
    /// People.
    pub users: u64,
    /// Roles.
    pub roles: u64,
    /// Pre-auth keys.
    pub keys: u64,
    /// Credentials of the admin API.
    pub apikeys: u64,
    /// Records that could not be read and were set aside.
    pub set_aside: u64,
}
