//! SOPS files between `sops` and `meshctl secret`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use secret_stories::Bench;

const PLAIN: &str = "# about the file
headplane:
    # about the key
    api_key: old-secret
    port: 8080
    ratio: 1.50
    on: true
    nothing: null
    empty: \"\"
hosts:
    - name: a
      secret: one
    - name: b
      secret: two
open_unencrypted: plain
text: |
    several
    lines
";

fn encrypted(bench: &Bench, more: &str) -> String {
    let recipient = bench.age_key("key");
    bench.write("s.yaml", PLAIN);
    bench.write("plain.yaml", PLAIN);
    sops(bench, &format!("encrypt --age {recipient} {more} -i s.yaml"));
    recipient
}

fn sops(bench: &Bench, line: &str) -> String {
    bench.tool("sops", line, "").ok().out
}

/// Where sops looks without being told.
fn settle(bench: &Bench, key: &str) {
    let text = bench.read(key);
    bench.write(".config/sops/age/keys.txt", &text);
}

fn ciphertexts(text: &str) -> Vec<&str> {
    text.lines().filter(|l| l.contains("ENC[")).collect()
}

#[test]
fn one_value_goes_both_ways_and_the_others_stay() {
    for more in ["", "--mac-only-encrypted", "--encrypted-regex ^(api_key|secret)$"] {
        let bench = Bench::new();
        encrypted(&bench, more);
        settle(&bench, "key");
        let get =
            |var: &str| bench.secret(&format!("get --file s.yaml --var {var}")).ok().json()["value"].clone();
        assert_eq!(get("headplane.api_key"), "old-secret", "{more}");
        assert_eq!(get("hosts[1].secret"), "two");
        bench.secret("verify s.yaml").ok();
        let before = bench.read("s.yaml");
        bench.write("new", "new: \"secret\"\n");
        bench.secret("set --file s.yaml --var headplane.api_key --value-file new").ok();
        let after = bench.read("s.yaml");
        let (old, new) = (ciphertexts(&before), ciphertexts(&after));
        let changed: Vec<_> = old.iter().zip(&new).filter(|(o, n)| o != n).map(|(o, _)| o.trim()).collect();
        assert_eq!(changed.len(), 2, "{changed:?}");
        assert!(changed[0].starts_with("api_key:") && changed[1].starts_with("mac:"), "{changed:?}");
        assert_eq!(before.lines().count(), after.lines().count());
        assert_eq!(sops(&bench, "decrypt --extract [\"headplane\"][\"api_key\"] s.yaml"), "new: \"secret\"");
        let all = sops(&bench, "decrypt s.yaml");
        assert!(all.contains("# about the key") && all.contains("secret: two") && all.contains("port: 8080"));
    }
}

#[test]
fn values_of_every_type_keep_the_mac() {
    let bench = Bench::new();
    encrypted(&bench, "--unencrypted-regex ^headplane$");
    settle(&bench, "key");
    bench.secret("verify s.yaml").ok();
    bench.write("new", "three");
    bench.secret("set --file s.yaml --var hosts[0].secret --value-file new").ok();
    bench.secret("set --file s.yaml --var added --create --value-file new").ok();
    let all = sops(&bench, "decrypt s.yaml");
    assert!(all.contains("secret: three") && all.contains("added: three"), "{all}");
    assert_eq!(
        bench.secret("set --file s.yaml --var headplane.api_key --value-file new").refusal(),
        "not_encrypted"
    );
}

#[test]
fn json_keeps_its_shape() {
    let bench = Bench::new();
    let recipient = bench.age_key("key");
    settle(&bench, "key");
    bench.write("s.json", r#"{"a": "one", "n": 1.50, "list": ["x", {"y": "z\u00e9"}]}"#);
    bench.tool("sops", &format!("encrypt --age {recipient} -i s.json"), "").ok();
    bench.write("new", "a \"new\" secret");
    bench.secret("set --file s.json --var list[1].y --value-file new").ok();
    let all = sops(&bench, "decrypt s.json");
    assert!(all.contains(r#""y": "a \"new\" secret""#) && all.contains("1.5"), "{all}");
    let before = bench.read("s.json");
    assert_eq!(bench.secret("set --file s.json --var b --create --value-file new").refusal(), "unsupported");
    assert_eq!(bench.secret(&format!("rekey s.json --recipient {recipient}")).refusal(), "unsupported");
    assert_eq!(bench.read("s.json"), before);
}

#[test]
fn rekeying_shuts_the_old_recipient_out() {
    let bench = Bench::new();
    let old = encrypted(&bench, "");
    let (second, third) = (bench.age_key("key2"), bench.age_key("key3"));
    bench.write(
        ".sops.yaml",
        &format!("creation_rules:\n  - path_regex: \\.yaml$\n    age: {second},\n      {third}\n"),
    );
    let before = bench.read("s.yaml");
    let refused = bench.secret("rekey s.yaml --age-identity key");
    assert_eq!(refused.refusal(), "wrong_recipient");
    assert_eq!(bench.read("s.yaml"), before);
    bench.secret("rekey s.yaml --age-identity key --age-identity key2").ok();
    let after = bench.read("s.yaml");
    assert!(!after.contains(&old) && after.contains(&second) && after.contains(&third));
    let same = ciphertexts(&before).iter().zip(ciphertexts(&after)).filter(|(o, n)| **o == *n).count();
    assert_eq!(same, 0);
    assert_eq!(bench.secret("get --file s.yaml --var text --age-identity key").refusal(), "wrong_recipient");
    for key in ["key2", "key3"] {
        settle(&bench, key);
        let all = sops(&bench, "decrypt s.yaml");
        assert!(all.contains("api_key: old-secret") && all.contains("# about the file"), "{all}");
    }
}

#[test]
fn what_was_tampered_with_has_a_word_of_its_own() {
    let bench = Bench::new();
    encrypted(&bench, "");
    settle(&bench, "key");
    let good = bench.read("s.yaml");
    let code = |text: String| {
        bench.write("t.yaml", &text);
        let said = bench.secret("get --file t.yaml --var text");
        assert_eq!(said.code, 1, "{said:?}");
        assert_ne!(bench.tool("sops", "decrypt t.yaml", "").code, 0);
        said.refusal()
    };
    assert_eq!(code(good.replace("open_unencrypted: plain", "open_unencrypted: other")), "tampered");
    let lines: Vec<_> = good.lines().collect();
    let secrets: Vec<_> = lines.iter().filter(|l| l.trim().starts_with("secret:")).collect();
    let swapped = good.replace(secrets[0], "@").replace(secrets[1], secrets[0]).replace('@', secrets[1]);
    assert_eq!(code(swapped), "tampered");
    let dropped: String =
        good.lines().filter(|l| !l.trim().starts_with("port:")).map(|l| format!("{l}\n")).collect();
    assert_eq!(code(dropped), "tampered");
    let other = bench.age_key("other");
    assert_ne!(other, "");
    bench.write(".config/sops/age/keys.txt", &bench.read("other"));
    bench.write("u.yaml", &good);
    assert_eq!(bench.secret("get --file u.yaml --var text").refusal(), "wrong_recipient");
}
