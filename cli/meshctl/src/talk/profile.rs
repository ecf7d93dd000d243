//! `~/.config/meshctl/config.yaml`: servers that the operator gave names.

use std::{
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::Failure;

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profiles {
    /// The one that is meant when nothing else names a server.
    default: Option<String>,
    profiles: BTreeMap<String, Profile>,
}

/// A server with a name: either `server` and `api_key_file`, or `socket`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// URL.
    pub server: Option<String>,
    /// File with the API key.
    pub api_key_file: Option<PathBuf>,
    /// Local socket.
    pub socket: Option<PathBuf>,
    /// Which of its meshes.
    pub tailnet: Option<String>,
}

impl Profiles {
    /// The operator's file; no file is no profiles.
    pub fn load() -> Result<Self, Failure> {
        let home = env::var_os("HOME").map(PathBuf::from);
        let Some(folder) = env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
            .or_else(|| home.as_ref().map(|h| h.join(".config")))
        else {
            return Ok(Self::default());
        };
        let path = folder.join("meshctl/config.yaml");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(Failure::usage(format!("cannot read {}: {e}", path.display()))),
        };
        Self::parse(&text, home.as_deref()).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))
    }
    /// The text of the file; `~/` in paths means `home`.
    pub fn parse(text: &str, home: Option<&Path>) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let mut file: Self = serde_yaml::from_str(text).map_err(|e| e.to_string())?;
        for profile in file.profiles.values_mut() {
            for path in [&mut profile.api_key_file, &mut profile.socket].into_iter().flatten() {
                if let (Some(home), Ok(rest)) = (home, path.strip_prefix("~")) {
                    *path = home.join(rest);
                }
            }
        }
        Ok(file)
    }
    /// The profile with this name.
    pub fn get(&self, name: &str) -> Result<&Profile, Failure> {
        self.profiles.get(name).ok_or_else(|| {
            let names: Vec<_> = self.profiles.keys().map(String::as_str).collect();
            let hint = match names[..] {
                [] => "add it to ~/.config/meshctl/config.yaml".to_owned(),
                _ => format!("there are: {}", names.join(", ")),
            };
            Failure::usage(format!("there is no profile {name}")).hint(hint)
        })
    }
    /// The default profile with its name.
    pub fn chosen(&self) -> Result<Option<(&str, &Profile)>, Failure> {
        let Some(name) = &self.default else { return Ok(None) };
        Ok(Some((name, self.get(name)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_home_folder() {
        let text = "profiles:\n  p: {server: 'https://p', api_key_file: ~/k/p.key}\n";
        let file = Profiles::parse(text, Some(Path::new("/home/a"))).unwrap();
        assert_eq!(file.get("p").unwrap().api_key_file.as_deref(), Some(Path::new("/home/a/k/p.key")));
        assert_eq!(file.chosen().unwrap(), None);
    }

    #[test]
    fn a_misspelt_key_is_named() {
        let error = Profiles::parse("profiles:\n  p: {sever: x}\n", None).unwrap_err();
        assert!(error.contains("sever"), "{error}");
        assert_eq!(Profiles::parse(" \n", None).unwrap(), Profiles::default());
    }

    #[test]
    fn a_default_that_is_not_there_is_refused() {
        let file = Profiles::parse("default: x\nprofiles:\n  p: {socket: /s}\n", None).unwrap();
        assert_eq!(file.chosen().unwrap_err().hint.as_deref(), Some("there are: p"));
    }
}
