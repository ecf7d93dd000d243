//! Laws of the codecs: what is written is read, one value changes and no other byte, and what is broken is refused with
//! its own word. The tests of `meshctl` compare with the tools that others wrote.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::collections::BTreeSet;

use ident::Secret;
use proptest::prelude::*;
use secrets::{
    Error, Format, Keys, Rekey, Sealing,
    age::{Identities, Recipients},
    document::{self, Document, Edit, EmitContext, splice},
    vault::{Envelope, Keyring, Password, seal},
};

fn password(label: &str, text: &str) -> Password {
    Password { label: label.to_owned(), secret: Secret::new(text.as_bytes().to_vec()) }
}

fn keys(passwords: &[(&str, &str)]) -> Keys {
    let passwords = passwords.iter().map(|(l, t)| password(l, t)).collect();
    Keys { vault: Keyring::new(passwords, false), age: Identities::default() }
}

/// A counter: every call another.
fn counter() -> impl FnMut() -> [u8; 32] {
    let mut n = 0u8;
    move || {
        n = n.wrapping_add(1);
        [n; 32]
    }
}

fn set(
    bytes: &[u8],
    var: Option<&str>,
    value: &str,
    keys: &Keys,
    create: bool,
) -> Result<Option<Vec<u8>>, Error> {
    let recipients = Recipients::default();
    let sealing = Sealing { label: None, recipients: &recipients, now: "2026-01-11T00:00:00Z", create };
    secrets::set(bytes, var, &Secret::new(value.as_bytes().to_vec()), keys, &sealing, &mut counter())
}

fn vaulted(text: &str, password: &str, label: &str) -> String {
    seal(text.as_bytes(), password.as_bytes(), label, [7; 32]).unwrap().format()
}

fn inline(text: &str, password: &str, indent: usize, line_end: &str) -> String {
    let block = vaulted(text, password, "default");
    let lines: Vec<_> = block.lines().map(|l| format!("{}{l}", " ".repeat(indent))).collect();
    format!("!vault |{line_end}{}", lines.join(line_end))
}

/// A file with everything around the value that must stay.
fn surroundings(line_end: &str, bom: &str) -> String {
    let (one, two) = (inline("first", "pw", 10, line_end), inline("second", "pw", 6, line_end));
    let lines = [
        format!("{bom}---"),
        "# a comment with é and ! and | in it".to_owned(),
        "plain:   spaced   # behind".to_owned(),
        format!("one: {one}"),
        String::new(),
        "nested:".to_owned(),
        "  list:".to_owned(),
        "    - 'single ''quoted'''".to_owned(),
        "    - \"double \\\"quoted\\\"\"".to_owned(),
        "  folded: >-".to_owned(),
        "    a".to_owned(),
        "    b".to_owned(),
        format!("  two:   {two}"),
        "last: [1, {a: b}]".to_owned(),
    ];
    lines.join(line_end) + line_end
}

#[test]
fn one_value_changes_and_no_other_byte() {
    for (line_end, bom) in [("\n", ""), ("\r\n", ""), ("\n", "\u{feff}"), ("\r\n", "\u{feff}")] {
        let before = surroundings(line_end, bom);
        let keys = keys(&[("default", "pw")]);
        for var in ["one", "nested.two"] {
            let after = set(before.as_bytes(), Some(var), "new value", &keys, false).unwrap().unwrap();
            let after = String::from_utf8(after).unwrap();
            let got = secrets::get(after.as_bytes(), Some(var), &keys).unwrap();
            assert_eq!(got.expose(), b"new value");
            let hex =
                |line: &&str| !line.trim().bytes().all(|b| b.is_ascii_hexdigit()) || line.trim().is_empty();
            let frame =
                |text: &str| text.split_inclusive('\n').filter(hex).map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(frame(&before), frame(&after));
            assert_eq!(after.matches("\r\n").count() == after.matches('\n').count(), line_end == "\r\n");
            let other = if var == "one" { "nested.two" } else { "one" };
            let text = inline(
                if other == "one" { "first" } else { "second" },
                "pw",
                if other == "one" { 10 } else { 6 },
                line_end,
            );
            assert!(after.contains(&text), "the other ciphertext changed");
        }
    }
}

#[test]
fn the_same_value_changes_nothing() {
    let before = surroundings("\n", "");
    assert_eq!(set(before.as_bytes(), Some("one"), "first", &keys(&[("default", "pw")]), false), Ok(None));
}

#[test]
fn a_plain_value_is_vaulted_when_it_is_set() {
    let keys = keys(&[("default", "pw")]);
    let after = set(b"a: 1\nb: x # c\n", Some("b"), "secret", &keys, false).unwrap().unwrap();
    let text = String::from_utf8(after.clone()).unwrap();
    assert!(
        text.starts_with("a: 1\nb: !vault ") && text.ends_with(" # c\n") && !text.contains("secret"),
        "{text}"
    );
    assert_eq!(secrets::get(&after, Some("b"), &keys).unwrap().expose(), b"secret");
}

#[test]
fn a_new_value_stands_at_the_end() {
    let keys = keys(&[("default", "pw")]);
    assert_eq!(set(b"a: 1", Some("b"), "x", &keys, false).unwrap_err().code(), "no_such_value");
    let after = set(b"a: 1", Some("b"), "x", &keys, true).unwrap().unwrap();
    assert!(after.starts_with(b"a: 1\nb: !vault |\n          $ANSIBLE_VAULT;1.1;AES256\n"));
    let whole = vaulted("a: 1\n", "pw", "prod").into_bytes();
    let after = set(&whole, Some("b"), "y: z", &keys, true).unwrap().unwrap();
    assert!(after.starts_with(b"$ANSIBLE_VAULT;1.2;AES256;prod\n"));
    assert_eq!(secrets::get(&after, None, &keys).unwrap().expose(), b"a: 1\nb: \"y: z\"\n");
}

#[test]
fn every_way_of_writing_a_vaulted_value_is_read_and_written() {
    let hex = vaulted("v", "pw", "default");
    let lines = |n: usize| hex.lines().map(|l| format!("{}{l}\n", " ".repeat(n))).collect::<String>();
    let keys = keys(&[("default", "pw")]);
    for text in [
        format!("a: !vault |\n{}b: 1\n", lines(2)),
        format!("a: !vault |-\n{}b: 1\n", lines(4)),
        format!("a: !vault-encrypted |\n{}\n\nb: 1\n", lines(20)),
        format!("a: !vault   |   # note\n{}b: 1\n", lines(3)),
        format!("a: !vault \"{}\"\nb: 1\n", hex.replace('\n', "\\n")),
        format!("a:\n  !vault |\n{}b: 1\n", lines(4)),
        format!("b: 1\na: !vault |\n{}", lines(4).trim_end()),
        format!("{{a: !vault \"{}\", b: 1}}\n", hex.replace('\n', "\\n")),
    ] {
        assert_eq!(secrets::get(text.as_bytes(), Some("a"), &keys).unwrap().expose(), b"v", "{text}");
        let after =
            set(text.as_bytes(), Some("a"), "other", &keys, false).unwrap_or_else(|e| panic!("{e}: {text}"));
        let after = after.unwrap();
        assert_eq!(secrets::get(&after, Some("b"), &keys).unwrap().expose(), b"1", "{text}");
    }
}

#[test]
fn odd_neighbours_do_not_confuse_the_places() {
    let text = "- x  # foo | bar\n- |\n  |\n  two\n- >+\n\n  folded\n\n- !!str 5\n- !t\n- ''\n- |\n- end\n";
    let document = Document::parse(text.as_bytes()).unwrap();
    let owned: Vec<_> = document.leaves().iter().map(|l| &text[l.node.span.clone()]).collect();
    assert_eq!(owned, ["x", "|\n  |\n  two", ">+\n\n  folded", "!!str 5", "!t", "''", "|", "end"]);
}

#[test]
fn rekeying_is_all_or_nothing() {
    let (old, new) = (keys(&[("default", "pw"), ("x", "other")]), password("prod", "new password"));
    let recipients = Recipients::default();
    let to = Rekey { vault: Some(&new), recipients: &recipients, only_label: None, now: "" };
    let before = surroundings("\n", "");
    let after = secrets::rekey(before.as_bytes(), &old, &to, &mut counter()).unwrap();
    assert_eq!(secrets::verify(&after, &keys(&[("prod", "new password")])), Ok(2));
    assert_eq!(secrets::verify(&after, &old).unwrap_err().code(), "wrong_password");
    let mixed = format!("{before}three: {}\n", inline("third", "unknown", 4, "\n"));
    assert!(secrets::rekey(mixed.as_bytes(), &old, &to, &mut counter()).is_err());
}

#[test]
fn broken_vaults_have_words_of_their_own() {
    let (good, keys) = (vaulted("a: 1\n", "pw", "default"), keys(&[("default", "pw")]));
    let code = |text: &str| secrets::verify(text.as_bytes(), &keys).unwrap_err().code();
    assert_eq!(code(&vaulted("a: 1\n", "other", "default")), "wrong_password");
    assert_eq!(code(&good[..good.len() - 40]), "truncated");
    assert_eq!(code("$ANSIBLE_VAULT;1.1;AES256\n"), "truncated");
    assert_eq!(code(&good.replace("1.1;AES256", "1.0;AES")), "unknown_format");
    assert_eq!(code(&good.replacen("\n3", "\nz", 1)), "damaged");
    assert_eq!(code(&"a".repeat(9 << 20)), "too_large");
    assert_eq!(secrets::verify(good.as_bytes(), &Keys::default()).unwrap_err().code(), "no_key");
    let pair = format!("a: {}\nb: {}\n", inline("1", "pw", 2, "\n"), inline("2", "pw", 2, "\n"));
    let at = pair.rfind("\n  ").unwrap() + 5;
    let mut changed = pair.clone().into_bytes();
    changed[at] = if changed[at] == b'3' { b'4' } else { b'3' };
    let found = secrets::verify(&changed, &keys).unwrap_err().code();
    assert!(["tampered", "truncated", "damaged"].contains(&found), "{found}");
}

#[test]
fn broken_yaml_has_words_of_its_own() {
    let code = |text: &str| {
        set(text.as_bytes(), Some("a"), "x", &keys(&[("default", "pw")]), false).unwrap_err().code()
    };
    assert_eq!(code("a: 1\na: 2\n"), "duplicate_key");
    assert_eq!(code("a: &x 1\nb: *x\n"), "anchor");
    assert_eq!(code("b: {<<: {c: 1}}\na: 1\n"), "anchor");
    assert_eq!(code("a: [1\nb: 2\n"), "syntax");
    assert_eq!(code(&format!("a: {}{}\n", "[".repeat(100), "]".repeat(100))), "too_deep");
    assert_eq!(code("b: 1\n"), "no_such_value");
    assert_eq!(code("a: {b: 1}\n"), "no_such_value");
    assert_eq!(code("just words\n"), "unknown_format");
    assert_eq!(Format::of(b"\xff\xfe").unwrap_err().code(), "not_text");
}

#[test]
fn an_age_file_goes_to_all_its_recipients_again() {
    use std::str::FromStr;
    // A key pair of the age specification's test vectors.
    let secret = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    let _ = String::from_str(secret);
    let mut identities = Identities::default();
    identities.add(&format!("# created: today\n{secret}\n"), None).unwrap();
    let mut recipients = Recipients::default();
    recipients.add("age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa").unwrap();
    let keys = Keys { vault: Keyring::default(), age: identities };
    let file = recipients.seal(b"a: old\n", true).unwrap();
    let sealing = Sealing { label: None, recipients: &recipients, now: "", create: false };
    let value = Secret::new(b"new".to_vec());
    let after = secrets::set(&file, Some("a"), &value, &keys, &sealing, &mut counter()).unwrap().unwrap();
    assert_eq!(secrets::get(&after, None, &keys).unwrap().expose(), b"a: new\n");
    let nobody = Recipients::default();
    let sealing = Sealing { label: None, recipients: &nobody, now: "", create: false };
    assert_eq!(
        secrets::set(&file, Some("a"), &value, &keys, &sealing, &mut counter()).unwrap_err().code(),
        "no_key"
    );
    assert_eq!(secrets::get(&file, None, &Keys::default()).unwrap_err().code(), "no_key");
    let cut = &file[..file.len() * 2 / 3];
    assert!(secrets::get(cut, None, &keys).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_sealed_opens(text in prop::collection::vec(any::<u8>(), 0..200), label in "[a-z]{1,8}") {
        let envelope = seal(&text, b"pw", &label, [3; 32]).unwrap();
        let read = Envelope::parse(&envelope.format()).unwrap();
        prop_assert_eq!(&read, &envelope);
        let keyring = Keyring::new(vec![password("z", "no"), password(&label, "pw")], false);
        prop_assert_eq!(&**keyring.open(&read).unwrap().0, &text);
    }

    #[test]
    fn a_flipped_bit_never_tells_another_value(at in 26usize..600, bit in 0u8..8) {
        let secret = "some secret of some length";
        let mut text = vaulted(secret, "pw", "default").into_bytes();
        let at = at % text.len();
        text[at] ^= 1 << bit;
        if let Ok(read) = secrets::get(&text, None, &keys(&[("default", "pw")])) {
            prop_assert_eq!(read.expose().as_slice(), secret.as_bytes());
        }
    }

    #[test]
    fn any_text_survives_being_written(value in "\\PC*|[ -~\n\t\r]{0,40}", style in 0usize..6) {
        let old = ["a: old\n", "a: 'old'\n", "a: \"old\"\n", "a: |\n  old\n  er\n", "a: >\n  old\n", "a: |-\n    old\n"][style];
        let before = format!("{old}b: kept # yes\n");
        let document = Document::parse(before.as_bytes()).unwrap();
        let leaf = document.find("a").unwrap();
        let context = EmitContext { old: Some(leaf.scalar), indent: 4, line_end: "\n" };
        let text = document::scalar(&value, &context).into();
        let place = leaf.place.clone();
        let after = splice(&document, vec![Edit { span: leaf.node.span.clone(), text }], |p| *p == place).unwrap();
        prop_assert_eq!(after.find("a").unwrap().scalar.text.as_str(), value.as_str());
        prop_assert!(after.text().ends_with("b: kept # yes\n"));
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = secrets::verify(&bytes, &keys(&[("default", "pw")]));
        let mut vault = b"$ANSIBLE_VAULT;1.1;AES256\n".to_vec();
        vault.extend(&bytes);
        prop_assert!(secrets::verify(&vault, &keys(&[("default", "pw")])).is_err());
    }

    #[test]
    fn places_lead_back(keys in prop::collection::btree_set("[a-z.\\[\\] ]{1,6}", 1..5)) {
        let text: String = keys.iter().map(|k| format!("{}: {}\n", document::quoted(k), document::quoted(k))).collect();
        let document = Document::parse(text.as_bytes()).unwrap();
        let found: BTreeSet<_> = document.leaves().iter().map(|l| l.place.to_string()).collect();
        prop_assert_eq!(found.len(), keys.len());
        for place in found {
            prop_assert!(document.find(&place).is_ok(), "{}", place);
        }
    }
}
