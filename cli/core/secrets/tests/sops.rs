//! SOPS on a file that sops 3.13.3 wrote: what a change touches, and that nothing that was changed by others opens.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use ident::Secret;
use proptest::prelude::*;
use secrets::{
    Error, Keys, Rekey, Sealing,
    age::{Identities, Recipients},
    sops::Rules,
    vault::Keyring,
};

const FILE: &str = include_str!("golden/sops-3.13.3.yaml");
const KEY: &str = include_str!("golden/age.key");
const OTHER: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

fn keys() -> Keys {
    let mut age = Identities::default();
    age.add(KEY, None).unwrap();
    Keys { vault: Keyring::default(), age }
}

fn counter() -> impl FnMut() -> [u8; 32] {
    let mut n = 0u8;
    move || {
        n = n.wrapping_add(1);
        [n; 32]
    }
}

fn set(text: &str, var: &str, value: &str) -> Result<Option<String>, Error> {
    let recipients = Recipients::default();
    let now = "2027-01-01T00:00:00Z";
    let sealing = Sealing { label: None, recipients: &recipients, now, create: true };
    let value = Secret::new(value.as_bytes().to_vec());
    let new = secrets::set(text.as_bytes(), Some(var), &value, &keys(), &sealing, &mut counter())?;
    Ok(new.map(|bytes| String::from_utf8(bytes).unwrap()))
}

fn get(text: &str, var: &str) -> String {
    String::from_utf8(secrets::get(text.as_bytes(), Some(var), &keys()).unwrap().expose().clone()).unwrap()
}

#[test]
fn every_type_is_read() {
    for (var, value) in [
        ("headplane.api_key", "old-secret"),
        ("headplane.port", "8080"),
        ("headplane.ratio", "1.5"),
        ("headplane.on", "true"),
        ("headplane.empty", ""),
        ("hosts[0].secret", "one"),
        ("hosts[1].name", "b"),
        ("open_unencrypted", "plain"),
        ("text", "several\nlines\n"),
    ] {
        let read = get(FILE, var);
        assert_eq!(if value == "true" { read.to_lowercase() } else { read }, value, "{var}");
    }
}

#[test]
fn a_change_touches_the_value_the_moment_and_the_mac() {
    for text in [FILE.to_owned(), FILE.replace('\n', "\r\n")] {
        let new = set(&text, "hosts[1].secret", "three").unwrap().unwrap();
        let lines: Vec<_> = text.split('\n').zip(new.split('\n')).filter(|(a, b)| a != b).collect();
        let names: Vec<_> = lines.iter().map(|(a, _)| a.trim().split(':').next().unwrap()).collect();
        assert_eq!(names, ["secret", "lastmodified", "mac"]);
        assert_eq!(text.split('\n').count(), new.split('\n').count());
        assert_eq!(
            (get(&new, "hosts[1].secret"), get(&new, "hosts[0].secret")),
            ("three".into(), "one".into())
        );
        assert_eq!(secrets::verify(new.as_bytes(), &keys()), secrets::verify(text.as_bytes(), &keys()));
    }
    assert_eq!(set(FILE, "hosts[1].secret", "two"), Ok(None));
    let added = set(FILE, "brand_new", "x").unwrap().unwrap();
    assert!(added.contains("\nbrand_new: \"ENC["));
    assert_eq!(set(FILE, "more_unencrypted", "x").unwrap_err().code(), "not_encrypted");
    assert_eq!(set(FILE, "sops.mac", "x").unwrap_err().code(), "not_encrypted");
}

#[test]
fn a_new_data_key_leaves_no_old_ciphertext() {
    let mut recipients = Recipients::default();
    recipients.add(OTHER).unwrap();
    recipients.add(KEY.lines().find_map(|l| l.strip_prefix("# public key: ")).unwrap()).unwrap();
    let to = Rekey { vault: None, recipients: &recipients, only_label: None, now: "2027-01-01T00:00:00Z" };
    let new = secrets::rekey(FILE.as_bytes(), &keys(), &to, &mut counter()).unwrap();
    let new = String::from_utf8(new).unwrap();
    assert_eq!(get(&new, "headplane.api_key"), "old-secret");
    assert_eq!(new.matches("ENC[AES256_GCM").count(), FILE.matches("ENC[AES256_GCM").count());
    let old: Vec<_> = FILE.lines().filter(|l| l.contains("ENC[")).collect();
    assert!(new.lines().all(|l| !old.contains(&l)));
}

#[test]
fn the_first_rule_that_fits_counts() {
    let text = "creation_rules:\n  - path_regex: secrets/.*\\.yaml$\n    age: a, b\n  - age: [c]\n";
    let rules = Rules::parse(text.as_bytes()).unwrap();
    assert_eq!(rules.find("x/secrets/y.yaml").unwrap().recipients, ["a", "b"]);
    assert_eq!(rules.find("other").unwrap().recipients, ["c"]);
    assert!(Rules::parse(b"creation_rules: [{path_regex: '('}]").is_err());
    assert!(Rules::parse(b"other: 1").is_err());
}

/// Without its section the sealed values would be told as they stand.
#[test]
fn a_file_that_lost_its_section_is_refused() {
    for (section, other) in [("\nsops:", "\nsaps:"), ("    mac:", "    mic:")] {
        let text = FILE.replacen(section, other, 1);
        assert_ne!(text, FILE);
        let error = secrets::list(text.as_bytes(), None).unwrap_err();
        assert_eq!(error.code(), "bad_metadata", "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_changed_character_never_tells_another_value(at in 0usize..6000, with in proptest::char::range('!', '~')) {
        let at = at % FILE.len();
        let mut text = FILE.as_bytes().to_vec();
        text[at] = with as u8;
        let all = |bytes: &[u8]| -> Option<Vec<Vec<u8>>> {
            let entries = secrets::list(bytes, None).ok()?;
            let read = |e: &secrets::Entry| secrets::get(bytes, e.var.as_deref(), &keys()).ok().map(|s| s.expose().clone());
            entries.iter().map(read).collect()
        };
        if let Some(values) = all(&text) {
            prop_assert_eq!(Some(values), all(FILE.as_bytes()));
        }
    }
}
