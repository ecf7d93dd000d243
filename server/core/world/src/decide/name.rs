//! Names: what a device is called in MagicDNS, what people and roles may be called.

use ident::NodeId;

use crate::{Refusal, World};

const LABEL: &str =
    "lower-case letters, digits and hyphens, at most 63, no hyphen at either end, not digits alone";

/// Names that systems look up on their own and trust, in every domain that is searched: a device that bore one could tell
/// others which proxy to use, or stand in for the machine itself.
const RESERVED: [&str; 5] = ["autodiscover", "broadcasthost", "isatap", "localhost", "wpad"];
const NOT_RESERVED: &str = "systems look this name up on their own and trust the answer; no device bears it";

/// A MagicDNS label out of whatever a device calls itself.
pub(super) fn label(hostname: &str) -> String {
    let first = hostname.split('.').next().unwrap_or_default();
    let mapped: String = first
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(63)
        .collect();
    let mut label = String::new();
    for c in mapped.trim_matches('-').chars() {
        if c != '-' || !label.ends_with('-') {
            label.push(c);
        }
    }
    match label.bytes().all(|b| b.is_ascii_digit()) {
        true if label.is_empty() => "node".into(),
        // Digits alone are an id wherever a node is named.
        true => format!("node-{}", &label[..label.len().min(58)]),
        false => label,
    }
}

/// The label itself, or with `-1`, `-2`… behind it when others have it or nobody may.
pub(super) fn unique(world: &World, label: &str, own: Option<NodeId>) -> String {
    let others = |name: &str| world.nodes.by_name(name).is_some_and(|n| Some(n.id) != own);
    let free = |name: &str| !RESERVED.contains(&name) && !others(name);
    if free(label) {
        return label.to_owned();
    }
    let numbered = |i: usize| {
        let suffix = format!("-{i}");
        let kept: String = label.chars().take(63 - suffix.len()).collect();
        format!("{kept}{suffix}")
    };
    (1..=world.nodes.len() + 1)
        .map(numbered)
        .find(|name| free(name))
        .unwrap_or_else(|| numbered(world.nodes.len() + 2))
}

/// Whether this is a label, as nodes and roles are called.
pub(super) fn check_label(noun: &'static str, name: &str) -> Result<(), Refusal> {
    let inner = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let number = name.bytes().all(|b| b.is_ascii_digit());
    if number || name.len() > 63 || !inner || name.starts_with('-') || name.ends_with('-') {
        return Err(Refusal::BadName { noun, name: name.to_owned(), rule: LABEL });
    }
    Ok(())
}

/// Whether an operator may call a node this.
pub(super) fn check_node(name: &str) -> Result<(), Refusal> {
    check_label("node", name)?;
    if RESERVED.contains(&name) {
        return Err(Refusal::BadName { noun: "node", name: name.to_owned(), rule: NOT_RESERVED });
    }
    Ok(())
}

/// A domain in lower case without a final dot.
pub(super) fn domain(noun: &'static str, name: &str) -> Result<String, Refusal> {
    const RULE: &str = "labels of letters, digits, hyphens and underscores between dots, at most 253 in all";
    let domain = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let label = |l: &str| {
        let inner = l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        inner && !l.is_empty() && l.len() <= 63 && !l.starts_with('-') && !l.ends_with('-')
    };
    if domain.len() > 253 || !domain.split('.').all(label) || domain.parse::<std::net::IpAddr>().is_ok() {
        let name = name.chars().take(300).collect();
        return Err(Refusal::BadName { noun, name, rule: RULE });
    }
    Ok(domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn device_names_become_labels() {
        for (from, to) in [
            ("Alice's MacBook", "alice-s-macbook"),
            ("web01.example.com", "web01"),
            ("", "node"),
            ("---", "node"),
            ("日本", "node"),
            ("7", "node-7"),
        ] {
            assert_eq!(label(from), to);
        }
    }

    proptest! {
        #[test]
        fn any_device_name_gives_a_valid_label(s in ".{0,300}") {
            prop_assert!(check_label("node", &label(&s)).is_ok(), "{}", label(&s));
        }
    }
}
