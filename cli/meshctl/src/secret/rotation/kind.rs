//! Kinds of secrets: each is one file that makes, finds and voids its credentials.

use std::path::{Path, PathBuf};

use api::{key::Plaintext, server};
use ident::Secret;
use serde::{Deserialize, Serialize};

use super::{api_key, plain, role_key};
use crate::talk::{Context, Failure};

/// What is rotated.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum Kind {
    #[serde(rename = "headplane-api-key")]
    ApiKey {
        lifetime: Option<u64>,
    },
    RoleKey {
        role: String,
        lifetime: u64,
        above: u64,
    },
    Plain {
        value_file: PathBuf,
        retire: Option<String>,
    },
}

/// A credential that was just made.
pub struct Made {
    /// What voids it; none when nobody but the file knows it.
    pub id: Option<String>,
    pub secret: Secret<Vec<u8>>,
}

/// Whether a credential is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtWork {
    Yes,
    NotSeen,
    /// This kind cannot tell by itself.
    CannotTell,
}

impl Kind {
    /// As the command line names it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ApiKey { .. } => "headplane-api-key",
            Self::RoleKey { .. } => "role-key",
            Self::Plain { .. } => "plain",
        }
    }
    /// Which server its credentials belong to, by the server's public key; none for secrets that no server knows.
    pub async fn server(&self, context: &Context) -> Result<Option<String>, Failure> {
        match self {
            Self::ApiKey { .. } | Self::RoleKey { .. } => {
                let status = context.read(&server::STATUS, &[], &()).await?;
                Ok(Some(status.public_key.to_string()))
            }
            Self::Plain { .. } => Ok(None),
        }
    }
    /// Whether the server that answers is the one of this public key, which it may have rotated since.
    pub async fn is_at(&self, context: &Context, server: Option<&str>) -> Result<bool, Failure> {
        let Some(server) = server else { return Ok(true) };
        let status = context.read(&server::STATUS, &[], &()).await?;
        let keys = [Some(status.public_key), status.previous_key];
        Ok(keys.into_iter().flatten().any(|key| key.to_string() == server))
    }
    /// Which credential a value is, when it is one that can be voided.
    pub async fn identify(
        &self,
        context: &Context,
        value: &Secret<Vec<u8>>,
    ) -> Result<Option<String>, Failure> {
        match self {
            Self::ApiKey { .. } => api_key::identify(context, value).await,
            Self::RoleKey { .. } => role_key::identify(context, value).await,
            Self::Plain { .. } => Ok(None),
        }
    }
    /// Makes a credential that carries the rotation's id and may do what the old one may.
    pub async fn create(
        &self,
        context: &Context,
        rotation: &str,
        old: Option<&str>,
    ) -> Result<Made, Failure> {
        match self {
            Self::ApiKey { lifetime } => api_key::create(context, rotation, *lifetime, old).await,
            Self::RoleKey { role, lifetime, .. } => role_key::create(context, role, *lifetime).await,
            Self::Plain { value_file, .. } => plain::create(value_file),
        }
    }
    /// Voids everything that carries the rotation's id, but not `keep`.
    pub async fn sweep(&self, context: &Context, rotation: &str, keep: Option<&str>) -> Result<(), Failure> {
        match self {
            Self::ApiKey { .. } => api_key::sweep(context, rotation, keep).await,
            Self::RoleKey { role, lifetime, above } => {
                role_key::sweep(context, role, *lifetime, *above, keep).await
            }
            Self::Plain { .. } => Ok(()),
        }
    }
    /// Whether the server saw this credential at work since it was made.
    pub async fn at_work(
        &self,
        context: &Context,
        id: &str,
        value: &Secret<Vec<u8>>,
    ) -> Result<AtWork, Failure> {
        match self {
            Self::ApiKey { .. } => api_key::at_work(context, id).await,
            Self::RoleKey { .. } => role_key::at_work(context, value).await,
            Self::Plain { .. } => Ok(AtWork::CannotTell),
        }
    }
    /// Voids the old credential.
    pub async fn revoke(&self, context: &Context, id: Option<&str>, base: &Path) -> Result<(), Failure> {
        match (self, id) {
            (Self::Plain { retire, .. }, _) => plain::retire(retire.as_deref(), base),
            (_, None) => Ok(()),
            (Self::ApiKey { .. }, Some(id)) => api_key::revoke(context, id).await,
            (Self::RoleKey { .. }, Some(id)) => role_key::revoke(context, id).await,
        }
    }
}

/// A value on its way to the server that may know it.
pub fn presented(value: &Secret<Vec<u8>>) -> Plaintext {
    Plaintext::new(String::from_utf8_lossy(value.expose()).trim().to_owned())
}
