//! One password source: a file, a program, a client script, the prompt.

use std::{
    env,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use ident::Secret;
use secrets::vault::{Envelope, Keyring, Password};
use zeroize::Zeroizing;

use super::prompt;
use crate::{
    secret::{place, words},
    talk::{Context, Failure},
};

/// What a client script ends with when it does not know the label.
const UNKNOWN_LABEL: i32 = 2;

/// Reads `LABEL@SOURCE`; without `@` it is a source of label `default`. A source that is vaulted itself is opened
/// with the passwords that are `known`.
pub fn read(context: &Context, text: &str, base: &Path, known: &Keyring) -> Result<Password, Failure> {
    let (label, source) = text.split_once('@').unwrap_or(("default", text));
    let label = if label.is_empty() { "default" } else { label };
    let secret = match source {
        "prompt" | "prompt_ask_vault_pass" => prompt::ask(&format!("Vault password ({label}): "))?,
        path => from_path(label, &expanded(path, base), known)?,
    };
    if secret.is_empty() {
        return Err(Failure::failed(format!("the vault password of {text} is empty")).code("empty_password"));
    }
    if secret.len() < 8 {
        context.screen().note(&format!("the vault password of label {label} is shorter than 8 characters"));
    }
    Ok(Password { label: label.to_owned(), secret: Secret::new(secret.to_vec()) })
}

fn from_path(label: &str, path: &Path, known: &Keyring) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let meta = path.metadata().map_err(|e| words::unreadable(path, &e))?;
    if meta.is_file() && meta.permissions().mode() & 0o111 != 0 {
        return printed(label, path);
    }
    let mut bytes = place::read_key(path)?;
    if Envelope::is_one(&bytes) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let opened = Envelope::parse(&text).and_then(|e| known.open(&e).map(|(text, _)| text));
        bytes = opened.map_err(|e| words::failure(path, &e.into()))?;
    }
    Ok(Zeroizing::new(bytes.trim_ascii().to_vec()))
}

/// What a program prints, line ends at the end left out.
fn printed(label: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let program = std::path::absolute(path).map_err(|e| words::unreadable(path, &e))?;
    let mut command = Command::new(program);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let client = stem.ends_with("-client");
    if client {
        command.args(["--vault-id", label]);
    }
    let output = command.stdin(Stdio::inherit()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|e| words::unreadable(path, &e))?;
    let printed = Zeroizing::new(output.stdout);
    match output.status.code() {
        Some(0) => {}
        Some(UNKNOWN_LABEL) if client => {
            let detail = format!("{} knows no password for label {label}", path.display());
            return Err(Failure::failed(detail).code("unknown_label"));
        }
        _ => {
            let detail = format!("{} gave no password: {}", path.display(), output.status);
            return Err(Failure::failed(detail).code("password_program"));
        }
    }
    let end = printed.iter().rposition(|b| !b"\r\n".contains(b)).map_or(0, |n| n + 1);
    Ok(Zeroizing::new(printed[..end].to_vec()))
}

/// `~` is the home folder; other relative names begin at `base`.
fn expanded(path: &str, base: &Path) -> PathBuf {
    let home = env::var_os("HOME").map(PathBuf::from);
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => base.join(path),
    }
}
