//! age identities as SOPS finds them, and recipients.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use ident::Secret;
use secrets::{
    Format,
    age::{Identities, Recipients},
    sops::Rules,
};
use zeroize::Zeroizing;

use super::KeyArgs;
use crate::{
    secret::{place, words},
    talk::{Context, Failure},
};

/// How far up the rules file is looked for.
const FOLDERS_UP: usize = 100;

/// Flags; then, for SOPS and for age files without a flag, everything that SOPS would find.
pub fn gather(args: &KeyArgs, context: &Context, format: Format, base: &Path) -> Result<Identities, Failure> {
    let mut found = Identities::default();
    let passphrase = args.passphrase(base)?;
    if let Some(passphrase) = &passphrase {
        found.set_passphrase(passphrase);
    }
    for path in &args.age_identity {
        add_file(&mut found, &base.join(path), passphrase.as_ref())?;
    }
    if format == Format::Sops || found.is_empty() {
        let mut surrounding =
            Surrounding { found: &mut found, context, base, passphrase: passphrase.as_ref() };
        surrounding.add_all()?;
    }
    Ok(found)
}

struct Surrounding<'a> {
    found: &'a mut Identities,
    context: &'a Context,
    base: &'a Path,
    passphrase: Option<&'a Secret<String>>,
}

impl Surrounding<'_> {
    /// The union of all sources. What is named must be good; what merely lies there is told and left out.
    fn add_all(&mut self) -> Result<(), Failure> {
        if let Some(path) = variable("SOPS_AGE_SSH_PRIVATE_KEY_FILE") {
            add_file(self.found, &self.base.join(path), self.passphrase)?;
        }
        if let Some(command) = variable("SOPS_AGE_SSH_PRIVATE_KEY_CMD") {
            self.add_printed("SOPS_AGE_SSH_PRIVATE_KEY_CMD", &command)?;
        }
        if let Some(text) = env::var("SOPS_AGE_KEY").ok().filter(|t| !t.is_empty()).map(Zeroizing::new) {
            self.add("SOPS_AGE_KEY", &text)?;
        }
        if let Some(path) = variable("SOPS_AGE_KEY_FILE") {
            add_file(self.found, &self.base.join(path), self.passphrase)?;
        }
        if let Some(command) = variable("SOPS_AGE_KEY_CMD") {
            self.add_printed("SOPS_AGE_KEY_CMD", &command)?;
        }
        for path in lying_about().into_iter().filter(|p| p.is_file()) {
            if let Err(e) = add_file(self.found, &path, self.passphrase) {
                self.context.screen().note(&e.detail);
            }
        }
        Ok(())
    }
    fn add(&mut self, name: &str, text: &str) -> Result<(), Failure> {
        let added = self.found.add(text, self.passphrase);
        added.map_err(|e| Failure::failed(format!("{name}: {e}")).code("bad_key"))
    }
    fn add_printed(&mut self, name: &str, command: &str) -> Result<(), Failure> {
        let output = Command::new("/bin/sh").args(["-c", command]).stderr(Stdio::inherit()).output();
        let output = output.map_err(|e| Failure::failed(format!("{name}: {e}")))?;
        let text = Zeroizing::new(String::from_utf8(output.stdout).unwrap_or_default());
        if !output.status.success() {
            return Err(Failure::failed(format!("{name}: {}", output.status)).code("key_program"));
        }
        self.add(name, &text)
    }
}

/// Where identities usually are.
fn lying_about() -> Vec<PathBuf> {
    let home = env::var_os("HOME").map(PathBuf::from);
    let config = variable("XDG_CONFIG_HOME").map(PathBuf::from).or(home.as_ref().map(|h| h.join(".config")));
    let ssh = |name: &str| home.as_ref().map(|h| h.join(".ssh").join(name));
    let sops = config.map(|c| c.join("sops/age/keys.txt"));
    [ssh("id_ed25519"), ssh("id_rsa"), sops].into_iter().flatten().collect()
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|v| !v.is_empty())
}

fn add_file(found: &mut Identities, path: &Path, passphrase: Option<&Secret<String>>) -> Result<(), Failure> {
    let bytes = place::read_key(path)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    found.add(text, passphrase).map_err(|e| words::failure(path, &e.into()))
}

/// Recipients that flags name.
pub fn named(texts: &[String], files: &[PathBuf], base: &Path) -> Result<Recipients, Failure> {
    let mut all = Recipients::default();
    for text in texts {
        all.add(text).map_err(|e| Failure::usage(e.to_string()).code("bad_key"))?;
    }
    for file in files {
        add_lines(&mut all, &base.join(file))?;
    }
    Ok(all)
}

/// `recipients.txt` beside an age file; nobody when it is not there.
pub fn beside(file: &Path) -> Result<Recipients, Failure> {
    let mut all = Recipients::default();
    let list = file.with_file_name("recipients.txt");
    if list.is_file() {
        add_lines(&mut all, &list)?;
    }
    Ok(all)
}

/// What the nearest `.sops.yaml` above `base` says about a file.
pub fn rules(file: &Path, base: &Path) -> Result<Recipients, Failure> {
    let list = base.ancestors().take(FOLDERS_UP).map(|f| f.join(".sops.yaml")).find(|p| p.is_file());
    let list = list.ok_or_else(|| {
        Failure::failed("neither a recipient nor a .sops.yaml says for whom the file is to be")
            .code("no_rule")
            .hint("--recipient age1… names one")
    })?;
    let folder = list.parent().unwrap_or(Path::new("/"));
    let file = base.join(file);
    let path = file.strip_prefix(folder).unwrap_or(&file).to_string_lossy();
    let rule = Rules::parse(&place::read(&list)?).and_then(|rules| rules.find(&path));
    let rule = rule.map_err(|e| words::failure(&list, &e.into()))?;
    named(&rule.recipients, &[], base)
}

fn add_lines(all: &mut Recipients, path: &Path) -> Result<(), Failure> {
    let bytes = place::read(path)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    all.add_lines(text).map_err(|e| words::failure(path, &e.into()))
}
