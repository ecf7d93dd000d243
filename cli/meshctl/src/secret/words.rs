//! From what went wrong with a file to what the operator reads.

use std::{io, path::Path};

use secrets::Error;

use crate::talk::Failure;

/// A format's complaint about a file.
pub fn failure(path: &Path, e: &Error) -> Failure {
    let failure = Failure::failed(format!("{}: {e}", path.display())).code(e.code());
    match hint(e.code()) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A complaint of the operating system about a file or folder.
pub fn unreadable(path: &Path, e: &io::Error) -> Failure {
    let code = match e.kind() {
        io::ErrorKind::NotFound => "no_such_file",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "disk_full"
        }
        io::ErrorKind::PermissionDenied => "permission",
        _ => "failed",
    };
    let failure = Failure::failed(format!("{}: {e}", path.display())).code(code);
    if code == "disk_full" {
        failure.hint("the file is as it was: make room and run it again")
    } else {
        failure
    }
}

fn hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "wrong_password" => {
            "name the password with --vault-id LABEL@FILE; if it is the right one, the text was changed"
        }
        "wrong_recipient" => "name the identity with --age-identity FILE, or have the file re-keyed to you",
        "no_key" => {
            "--vault-password-file FILE, --vault-id LABEL@FILE, --age-identity FILE or --recipient name one"
        }
        "which_password" => "--encrypt-vault-id LABEL says which",
        "unsupported" => "the guide says what is edited: docs/guide/secrets.md",
        "tampered" => "the file was changed by hand or by a merge: restore it from version control",
        "truncated" | "damaged" => "the file is not whole: restore it from version control",
        "no_such_value" => "`meshctl secret list` shows what is there; --create adds a value",
        "anchor" => "write the value out where the alias stands, then run it again",
        "duplicate_key" => "readers take one of the two: remove the other",
        "too_large" => "secrets belong into small files of their own",
        "bad_key" => "`meshctl secret rekey` changes for whom a file is",
        "wrong_variable" => "`meshctl secret list` shows the names of the values",
        "not_encrypted" => "the `sops` section of the file says which values are encrypted",
        _ => return None,
    })
}
