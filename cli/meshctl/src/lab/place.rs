//! Which lab, and what went wrong with it.

use std::path::PathBuf;

use lab::Trouble;

use crate::talk::Failure;

const LONGEST_NAME: usize = 32;

/// Flags that say which lab is meant.
#[derive(Clone, clap::Args)]
pub struct Place {
    /// Name of the lab; several can be up beside each other
    #[arg(long, value_name = "NAME", default_value = "lab", value_parser = name)]
    pub name: String,
    /// Folder of all labs
    #[arg(long, value_name = "DIR", default_value = lab::FOLDER, value_parser = folder)]
    pub dir: PathBuf,
}

/// A name that is the same in a path and in a command line.
fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = (1..=LONGEST_NAME).contains(&text.len()) && text.chars().all(plain) && !text.starts_with('-');
    if fits {
        Ok(text.to_owned())
    } else {
        Err(format!("small letters, digits and -, at most {LONGEST_NAME}"))
    }
}

fn folder(text: &str) -> Result<PathBuf, String> {
    std::path::absolute(text).map_err(|e| e.to_string())
}

/// A failure of the lab in the words of the command line.
pub fn failure(why: &anyhow::Error) -> Failure {
    let one_line = |text: String| text.lines().map(str::trim).collect::<Vec<_>>().join("; ");
    match why.downcast_ref::<Trouble>() {
        Some(trouble) => {
            Failure::failed(one_line(trouble.to_string())).code(code(trouble)).hint(trouble.hint())
        }
        None => Failure::failed(one_line(format!("{why:#}"))),
    }
}

/// Stable; programs compare this.
fn code(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::Machine(_) => "lab_machine",
        Trouble::Clients(_) => "lab_clients",
        Trouble::Taken(_) => "lab_taken",
        Trouble::None(_) => "lab_none",
        Trouble::Half(_) => "lab_half",
        Trouble::Dead(_) => "lab_dead",
        Trouble::Busy(_) => "lab_busy",
        Trouble::Foreign(_) => "lab_foreign",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_out_of_the_folder() {
        for bad in ["", ".", "..", "a/b", "A", "-x", "a b", "ä", &"x".repeat(33)] {
            assert!(name(bad).is_err(), "{bad}");
        }
        assert!(name("lab-2").is_ok());
    }
}
