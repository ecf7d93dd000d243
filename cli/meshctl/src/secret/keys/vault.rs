//! Vault passwords in Ansible's order: identity list, `--vault-id`, `--vault-password-file`, its environment and its
//! configuration file, the prompt.

use std::{
    env,
    io::IsTerminal,
    path::{Path, PathBuf},
};

use secrets::vault::{Keyring, Password};

use super::{KeyArgs, ansible_cfg::AnsibleCfg, source};
use crate::talk::{Context, Failure};

/// Everything that Ansible would try.
pub fn gather(args: &KeyArgs, context: &Context, base: &Path) -> Result<Keyring, Failure> {
    let config = AnsibleCfg::find(base)?;
    let mut sources = identity_list(&config, base);
    sources.extend(args.vault_id.iter().map(|text| (text.clone(), base.to_owned())));
    let file = |text: &String| (format!("default@{text}"), base.to_owned());
    sources.extend(args.vault_password_file.iter().map(file));
    if let Some((text, base)) = setting("ANSIBLE_VAULT_PASSWORD_FILE", &config, "vault_password_file", base) {
        sources.push((format!("default@{text}"), base));
    }
    let nobody = sources.is_empty() && std::io::stdin().is_terminal();
    if args.ask_vault_pass || nobody {
        sources.push(("default@prompt_ask_vault_pass".to_owned(), base.to_owned()));
    }
    let match_only = env::var("ANSIBLE_VAULT_ID_MATCH").ok().or_else(|| config.get("vault_id_match"));
    let match_only =
        match_only.is_some_and(|v| ["1", "true", "yes", "on", "t", "y"].contains(&&*v.to_lowercase()));
    read(context, &sources).map(|passwords| Keyring::new(passwords, match_only))
}

/// One bad source among several is told and left out; when none is good, the first complaint counts.
fn read(context: &Context, sources: &[(String, PathBuf)]) -> Result<Vec<Password>, Failure> {
    let mut passwords = Vec::new();
    let mut first = None;
    for (text, base) in sources {
        let known = Keyring::new(passwords.clone(), false);
        match source::read(context, text, base, &known) {
            Ok(password) => passwords.push(password),
            Err(e) if first.is_none() => first = Some(e),
            Err(e) => context.screen().note(&e.detail),
        }
    }
    match first {
        Some(e) if passwords.is_empty() => Err(e),
        Some(e) => {
            context.screen().note(&e.detail);
            Ok(passwords)
        }
        None => Ok(passwords),
    }
}

fn identity_list(config: &AnsibleCfg, base: &Path) -> Vec<(String, PathBuf)> {
    let Some((list, base)) = setting("ANSIBLE_VAULT_IDENTITY_LIST", config, "vault_identity_list", base)
    else {
        return Vec::new();
    };
    let entries = list.split(',').map(str::trim).filter(|e| !e.is_empty());
    entries.map(|e| (e.to_owned(), base.clone())).collect()
}

/// The environment, whose names begin at `base`, then the configuration file, whose names begin beside it.
fn setting(variable: &str, config: &AnsibleCfg, key: &str, base: &Path) -> Option<(String, PathBuf)> {
    let environment = env::var(variable).ok().filter(|v| !v.is_empty());
    let environment = environment.map(|v| (v, base.to_owned()));
    environment.or_else(|| config.get(key).map(|v| (v, config.folder())))
}
