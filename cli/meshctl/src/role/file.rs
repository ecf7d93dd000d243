//! The file of `role apply`.

use api::role::{KeyDefaults, Role};
use ident::Tag;
use serde::Deserialize;

use crate::talk::Lifetime;

/// The roles to have, from YAML or JSON; errors name the place.
pub fn parse(text: &str) -> Result<Vec<Role>, String> {
    let file: File = serde_yaml::from_str(text).map_err(|e| e.to_string())?;
    file.roles.into_iter().map(Entry::role).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    roles: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    tags: Vec<Tag>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    key: Key,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Key {
    expiry: Option<String>,
    expiry_seconds: Option<u64>,
    reusable: bool,
    ephemeral: bool,
    node_expiry: Option<String>,
    node_expiry_seconds: Option<u64>,
}

impl Entry {
    fn role(self) -> Result<Role, String> {
        let Entry { name, tags, description, key } = self;
        let expiry_seconds = key.expiry_seconds().map_err(|e| format!("role {name}: {e}"))?;
        let node_expiry_seconds = key.node_expiry_seconds().map_err(|e| format!("role {name}: {e}"))?;
        let Key { reusable, ephemeral, .. } = key;
        let key = KeyDefaults { expiry_seconds, reusable, ephemeral, node_expiry_seconds };
        Ok(Role { name, tags, description, key })
    }
}

impl Key {
    fn expiry_seconds(&self) -> Result<u64, String> {
        match (&self.expiry, self.expiry_seconds) {
            (None, None) => Ok(KeyDefaults::default().expiry_seconds),
            (None, Some(seconds)) => Ok(seconds),
            (Some(text), None) => {
                text.parse().map(|l: Lifetime| l.seconds).map_err(|e| format!("key.expiry: {e}"))
            }
            (Some(_), Some(_)) => Err("key has both `expiry` and `expiry_seconds`".to_owned()),
        }
    }

    /// None for ever.
    fn node_expiry_seconds(&self) -> Result<Option<u64>, String> {
        match (self.node_expiry.as_deref(), self.node_expiry_seconds) {
            (None | Some("never"), None) => Ok(None),
            (None, Some(seconds)) => Ok(Some(seconds)),
            (Some(text), None) => {
                text.parse().map(|l: Lifetime| Some(l.seconds)).map_err(|e| format!("key.node_expiry: {e}"))
            }
            (Some(_), Some(_)) => Err("key has both `node_expiry` and `node_expiry_seconds`".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_yaml_or_json() {
        let yaml = "roles:\n- name: web\n  tags: [tag:web]\n  key: {expiry: 2h, reusable: true}\n";
        let json = r#"{"roles": [{"name": "web", "tags": ["tag:web"], "key": {"expiry_seconds": 7200, "reusable": true}}]}"#;
        assert_eq!(parse(yaml), parse(json));
        assert_eq!(parse(yaml).unwrap()[0].key.expiry_seconds, 7200);
        assert_eq!(parse("roles:\n- {name: w, tags: [tag:w]}").unwrap()[0].key, KeyDefaults::default());
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        let error = parse("roles:\n- name: web\n  tag: [tag:web]\n").unwrap_err();
        assert!(error.contains("`tag`") && error.contains("line 3"), "{error}");
        assert!(parse("roles:\n- {name: web, tags: [web]}\n").unwrap_err().contains("tag:"));
        let error = parse("roles:\n- {name: web, tags: [tag:w], key: {expiry: soon}}\n").unwrap_err();
        assert!(error.starts_with("role web: key.expiry: "), "{error}");
        assert!(
            parse("roles:\n- {name: web, tags: [tag:w], key: {expiry: 1h, expiry_seconds: 1}}\n").is_err()
        );
        assert!(parse("").is_err());
    }
}
