//! The plan of a reset: everything that can be written down of a mesh without its secrets, and who was told.

use std::{fs, io, path::Path};

use api::{
    apikey::{self, ApiKey},
    dns::{self, Dns},
    key::{self, Key},
    node::{self, Node},
    policy,
    role::{self, Role},
    server,
    user::{self, User},
};
use ident::MachineKey;
use jiff::Timestamp;
use readiness::check::nodes::notified;
use serde::{Deserialize, Serialize};

use crate::talk::{Context, Failure, SecretFile, read_text};

/// A mesh as it is, and what is about to happen to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// When it was made.
    pub made: Timestamp,
    /// Why.
    pub reason: String,
    /// What clients were told.
    #[serde(default)]
    pub notice: String,
    /// The mesh.
    pub mesh: Mesh,
    /// Who was told.
    #[serde(default)]
    pub receipts: Vec<Receipt>,
}

/// What is lost by a reset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mesh {
    /// What clients are told.
    pub server_url: String,
    /// The key that clients know.
    pub public_key: MachineKey,
    /// Which database it is.
    pub database: String,
    /// People.
    pub users: Vec<User>,
    /// Devices with their owners, tags and routes.
    pub nodes: Vec<Node>,
    /// Key roles.
    pub roles: Vec<Role>,
    /// Pre-auth keys, masked.
    pub keys: Vec<Key>,
    /// Credentials of the admin API, masked.
    pub apikeys: Vec<ApiKey>,
    /// The policy's text; empty when there is none.
    pub policy: String,
    /// What clients are told of DNS.
    pub dns: Dns,
}

/// One who was to be told, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// `client`, `webhook` or `command`.
    pub channel: String,
    /// A device's name, a webhook's host, a program.
    pub to: String,
    /// When it was tried.
    pub at: Timestamp,
    /// Whether it got there.
    pub reached: bool,
    /// What it said.
    pub detail: String,
}

impl Mesh {
    /// Asks the server for all of it.
    pub async fn ask(context: &Context) -> Result<Self, Failure> {
        let status = context.read(&server::STATUS, &[], &()).await?;
        Ok(Self {
            server_url: status.server_url,
            public_key: status.public_key,
            database: status.database,
            users: context.read(&user::LIST, &[], &()).await?.users,
            nodes: context.read(&node::LIST, &[], &()).await?.nodes,
            roles: context.read(&role::LIST, &[], &()).await?.roles,
            keys: context.read(&key::LIST, &[], &()).await?.keys,
            apikeys: context.read(&apikey::LIST, &[], &()).await?.apikeys,
            policy: context.read(&policy::GET, &[], &()).await?.policy,
            dns: context.read(&dns::SHOW, &[], &()).await?,
        })
    }
}

impl Plan {
    /// Reads it back.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        serde_json::from_str(&read_text(path)?).map_err(|e| {
            Failure::usage(format!("{}: {e}", path.display()))
                .hint("`meshctl reset plan --out FILE` writes such a file")
        })
    }

    /// Writes it, whole or not at all, readable by its owner alone.
    pub fn keep(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).map_err(|e| Failure::failed(e.to_string()))?;
        SecretFile::prepare(path)?.commit(&text)
    }

    /// Whether a plan is there already.
    pub fn is_at(path: &Path) -> io::Result<bool> {
        match fs::symlink_metadata(path) {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// What a check judges.
    pub fn told(&self, file: &Path) -> notified::Plan {
        let receipt = |r: &Receipt| notified::Receipt {
            channel: r.channel.clone(),
            to: r.to.clone(),
            reached: r.reached,
            detail: r.detail.clone(),
        };
        notified::Plan {
            file: file.display().to_string(),
            made: self.made,
            database: self.mesh.database.clone(),
            receipts: self.receipts.iter().map(receipt).collect(),
        }
    }
}
