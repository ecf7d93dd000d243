//! One key per role, in a file that only its owner reads.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use api::key::{CREATE, Create, Plaintext, VERIFY, Verify};
use serde::Serialize;

use super::NO_CHECK;
use crate::talk::{Context, Failure, SecretFile, read_secret};

/// A role's key and how to use it.
#[derive(Debug, Serialize)]
pub struct RoleKey {
    /// Where the key is.
    pub key_file: PathBuf,
    /// The command that joins a device.
    pub join: String,
    /// Whether the key was there already and still works.
    pub kept: bool,
}

/// The key of this role in `folder`; one that is missing or no longer works is made anew.
pub async fn of(context: &Context, role: &str, folder: &Path, url: &str) -> Result<RoleKey, Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|e| Failure::failed(format!("cannot make {}: {e}", folder.display())))?;
    let key_file = folder.join(format!("{role}.key"));
    let kept = works(context, role, &key_file).await?;
    if !kept {
        create(context, role, &key_file).await?;
    }
    let join = join(url, &key_file, role);
    Ok(RoleKey { key_file, join, kept })
}

async fn works(context: &Context, role: &str, key_file: &Path) -> Result<bool, Failure> {
    if !key_file.exists() {
        return Ok(false);
    }
    let secret = Plaintext::new(read_secret(key_file)?.expose().clone());
    let verdict = context.read(&VERIFY, &[], &Verify { secret }).await?;
    Ok(verdict.works && verdict.key.is_some_and(|k| k.role == role))
}

async fn create(context: &Context, role: &str, key_file: &Path) -> Result<(), Failure> {
    let place = SecretFile::prepare(key_file)?;
    let input = Create {
        role: role.to_owned(),
        user: None,
        expiry_seconds: None,
        reusable: None,
        ephemeral: None,
        allow_no_access: true,
    };
    let created = context.write(&CREATE, &[], &input, NO_CHECK).await?.outcome;
    let secret =
        created.secret.ok_or_else(|| Failure::failed("the server made a key and kept its secret"))?;
    place.commit(secret.expose())
}

fn join(url: &str, key_file: &Path, role: &str) -> String {
    let key = quoted(&format!("file:{}", key_file.display()));
    format!("tailscale up --login-server={url} --auth-key={key} --hostname={role}-1")
}

/// As one word of a shell.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:._-+,@%=".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_blanks_is_one_word() {
        assert_eq!(
            join("http://127.0.0.1:8080", Path::new("/a b/it's/x.key"), "server"),
            r"tailscale up --login-server=http://127.0.0.1:8080 --auth-key='file:/a b/it'\''s/x.key' --hostname=server-1"
        );
        assert_eq!(quoted("file:/srv/mesh-data/keys/x.key"), "file:/srv/mesh-data/keys/x.key");
    }
}
