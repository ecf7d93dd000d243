//! The part of `ansible.cfg` that says where vault passwords are.

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::{secret::place, talk::Failure};

/// The `[defaults]` of the configuration file that Ansible would take.
#[derive(Debug, Default)]
pub struct AnsibleCfg {
    path: PathBuf,
    defaults: BTreeMap<String, String>,
}

impl AnsibleCfg {
    /// `ANSIBLE_CONFIG`, then `ansible.cfg` here (unless everybody may write here), `~/.ansible.cfg`, `/etc/ansible`.
    pub fn find(base: &Path) -> Result<Self, Failure> {
        let named = env::var_os("ANSIBLE_CONFIG").filter(|v| !v.is_empty()).map(|v| base.join(v));
        let named = named.map(|p| if p.is_dir() { p.join("ansible.cfg") } else { p });
        let folder = if base.as_os_str().is_empty() { Path::new(".") } else { base };
        let private = fs::metadata(folder).is_ok_and(|m| m.mode() & 0o002 == 0);
        let here = private.then(|| base.join("ansible.cfg"));
        let home = env::var_os("HOME").map(|h| PathBuf::from(h).join(".ansible.cfg"));
        let everywhere = Some(PathBuf::from("/etc/ansible/ansible.cfg"));
        let found = [named, here, home, everywhere].into_iter().flatten().find(|p| p.is_file());
        let Some(path) = found else { return Ok(Self::default()) };
        let bytes = place::read(&path)?;
        Ok(Self { defaults: defaults(&String::from_utf8_lossy(&bytes)), path })
    }
    /// A setting that is not empty.
    pub fn get(&self, key: &str) -> Option<String> {
        self.defaults.get(key).filter(|v| !v.is_empty()).cloned()
    }
    /// Where its relative names begin.
    pub fn folder(&self) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("/")).to_owned()
    }
}

fn defaults(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut inside = false;
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == "[defaults]";
        } else if inside && !line.starts_with(['#', ';']) {
            let Some((key, value)) = line.split_once(['=', ':']) else { continue };
            let value = value.split(" ;").next().unwrap_or_default().split(" #").next().unwrap_or_default();
            found.insert(key.trim().to_lowercase(), value.trim().trim_matches(['"', '\'']).to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_defaults_count() {
        let text = "[other]\nvault_password_file = no\n[defaults]\n# vault_password_file = no\n\
            vault_password_file = ~/.vault ; mine\nVault_Identity_List: a@b, c@d\n";
        let found = defaults(text);
        assert_eq!(found["vault_password_file"], "~/.vault");
        assert_eq!(found["vault_identity_list"], "a@b, c@d");
    }
}
