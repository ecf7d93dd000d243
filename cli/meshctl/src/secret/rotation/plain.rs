//! Any secret whose new value comes from a file: nobody but the operator can void the old one.

use std::{path::Path, process::Stdio};

use super::{consumer, kind::Made};
use crate::{secret::set, talk::Failure};

pub fn create(value_file: &Path) -> Result<Made, Failure> {
    let secret = set::value(value_file, false).map_err(|f| {
        if f.hint.is_some() {
            f
        } else {
            f.hint("`meshctl secret resume --value-file FILE` names the new value")
        }
    })?;
    Ok(Made { id: None, secret })
}

pub fn retire(command: Option<&str>, base: &Path) -> Result<(), Failure> {
    command.map_or(Ok(()), |c| consumer::execute(c, base, "retire", Stdio::null()))
}
