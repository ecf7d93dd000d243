//! Vault files between `ansible-vault`, `ansible` and `meshctl secret`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use secret_stories::Bench;

const PLAIN: &str = "# keep me\nuser: \"alice\"   # and me\nvault_key:   old-secret\nlist:\n  - a\n";

#[test]
fn whole_files_go_both_ways() {
    let bench = Bench::new();
    bench.write("pass", "correct horse battery\n");
    for (flag, header) in [
        ("--vault-password-file pass", "$ANSIBLE_VAULT;1.1;AES256"),
        ("--vault-id prod@pass", "$ANSIBLE_VAULT;1.2;AES256;prod"),
    ] {
        bench.write("v.yml", PLAIN);
        bench.tool("ansible-vault", &format!("encrypt {flag} v.yml"), "").ok();
        assert!(bench.read("v.yml").starts_with(header));
        let got = bench.secret(&format!("get --file v.yml --var vault_key {flag}")).ok().json();
        assert_eq!(got["value"], "old-secret");
        bench.write("new", "it's: new\n");
        let set =
            bench.secret(&format!("set --file v.yml --var vault_key {flag} --value-file new")).ok().json();
        assert_eq!(set["changed"], true);
        assert!(bench.read("v.yml").starts_with(header));
        let seen = bench.tool("ansible-vault", &format!("view {flag} v.yml"), "").ok();
        assert_eq!(seen.out.trim_end(), PLAIN.replace("old-secret", "\"it's: new\"").trim_end());
        let again =
            bench.secret(&format!("set --file v.yml --var vault_key {flag} --value-file new")).ok().json();
        assert_eq!(again["changed"], false);
        bench.write("pass2", "another password");
        bench.secret(&format!("rekey v.yml {flag} --new-vault-id stage@pass2")).ok();
        bench.tool("ansible-vault", "view --vault-id stage@pass2 v.yml", "").ok();
        assert_eq!(bench.secret(&format!("get --file v.yml {flag}")).refusal(), "wrong_password");
    }
}

#[test]
fn inline_values_go_both_ways_and_can_be_rekeyed() {
    let bench = Bench::new();
    bench.write("pass", "first password\n");
    bench.write("pass2", "second password\n");
    let one =
        bench.tool("ansible-vault", "encrypt_string --vault-password-file pass first --name one", "").ok();
    let two = bench.tool("ansible-vault", "encrypt_string --vault-id x@pass second --name two", "").ok();
    bench.write("v.yml", &format!("# head\n{}\nplain: 1 # c\n{}", one.out.trim_end(), two.out));
    let get = |var: &str, flags: &str| {
        bench.secret(&format!("get --file v.yml --var {var} {flags}")).ok().json()["value"].clone()
    };
    let seen = |var: &str, flags: &str| {
        bench.tool("ansible", &format!("localhost -e @v.yml {flags} -m debug -a var={var}"), "").ok().out
    };
    let old = "--vault-password-file pass";
    assert_eq!((get("one", old), get("two", old)), ("first".into(), "second".into()));
    let before = bench.read("v.yml");
    let set = bench.meshctl(&format!("secret set --file v.yml --var two {old} --value-file - --check"), "x");
    assert!(set.ok().out.starts_with("would change"));
    assert_eq!(bench.read("v.yml"), before);
    bench.meshctl(&format!("secret set --file v.yml --var two {old} --value-file -"), "brand new\n").ok();
    let at = before.find("two:").unwrap();
    assert_eq!(before[..at], bench.read("v.yml")[..at]);
    assert!(seen("two", old).contains("brand new") && seen("one", old).contains("first"));
    bench.meshctl(&format!("secret set --file v.yml --var three --create {old} --value-file -"), "3rd").ok();
    assert!(seen("three", old).contains("3rd"));
    bench.secret(&format!("rekey v.yml {old} --new-vault-id y@pass2")).ok();
    assert_eq!(bench.read("v.yml").matches("AES256;y").count(), 3);
    assert_eq!(get("one", "--vault-id y@pass2"), "first");
    assert!(seen("two", "--vault-id y@pass2").contains("brand new"));
}

#[test]
fn passwords_are_found_as_ansible_finds_them() {
    let bench = Bench::new();
    bench.write("pass", "hidden in a file\n");
    bench.write("v.yml", PLAIN);
    bench.tool("ansible-vault", "encrypt --vault-id prod@pass v.yml", "").ok();
    let get = |flags: &str| bench.secret(&format!("get --file v.yml --var user {flags}"));
    assert_eq!(get("").refusal(), "no_key");
    bench.program("script.sh", "#!/bin/sh\necho 'hidden in a file'\n");
    get("--vault-password-file script.sh").ok();
    let client = "#!/bin/sh\n[ \"$1 $2\" = '--vault-id prod' ] || exit 2\necho 'hidden in a file'\n";
    bench.program("keys-client.sh", client);
    get("--vault-id prod@keys-client.sh").ok();
    assert_eq!(get("--vault-id other@keys-client.sh").refusal(), "unknown_label");
    get("--vault-id other@keys-client.sh --vault-id prod@pass").ok();
    bench.write("ansible.cfg", "[defaults]\nvault_password_file = pass ; comment\n");
    get("").ok();
    bench.write("ansible.cfg", "");
    let piped =
        "sh -c 'cat pass | meshctl secret get --file v.yml --var user --vault-password-file /dev/stdin'";
    let (_, line) = piped.split_once(' ').unwrap();
    assert_eq!(bench.tool("sh", line, "").ok().out, "alice\n");
    bench.write("wrong", "not this one");
    bench.write("ansible.cfg", "[defaults]\nvault_identity_list = a@wrong , prod@pass\n");
    get("").ok();
    bench.write("ansible.cfg", "[defaults]\nvault_identity_list = a@pass\nvault_id_match = true\n");
    assert_eq!(get("").refusal(), "wrong_password");
    bench.write("empty", "\n");
    bench.write("ansible.cfg", "");
    assert_eq!(get("--vault-password-file empty").refusal(), "empty_password");
}

#[test]
fn the_terminal_is_asked_without_echo() {
    let bench = Bench::new();
    bench.write("pass", "typed by hand\n");
    bench.write("v.yml", PLAIN);
    bench.tool("ansible-vault", "encrypt --vault-password-file pass v.yml", "").ok();
    let line = "meshctl secret get --file v.yml --var user --ask-vault-pass";
    // As somebody does who waits for the question, and then for the answer.
    let shows =
        |what: &str| format!("for n in $(seq 300); do grep -q '{what}' seen && break; sleep 0.1; done");
    let (asked, told) = (shows("Vault password"), shows("alice"));
    let typing = format!(": >seen; ({asked}; sleep 0.5; cat pass; {told}) | script -qefc \"{line}\" seen");
    bench.write("type.sh", &typing);
    let said = bench.tool("sh", "type.sh", "").ok();
    assert!(said.out.contains("Vault password (default): ") && said.out.contains("alice"), "{said:?}");
    assert!(!said.out.contains("typed by hand"), "{said:?}");
}

#[test]
fn a_full_disk_leaves_the_file_as_it_was() {
    let bench = Bench::new();
    bench.write("pass", "a password of some length");
    let filler = "# ".to_owned() + &"x".repeat(40_000) + "\n";
    bench.write("small/v.yml", &filler);
    let script = "mount -t tmpfs -o size=64k none small && printf '%s' \"$1\" >small/v.yml && cp small/v.yml before \
        && meshctl secret set --file small/v.yml --var a --create --vault-password-file pass --value-file pass --json; \
        code=$?; cmp small/v.yml before && ls -A small >left; exit $code";
    let mut command = bench.command(std::path::Path::new("unshare"));
    command.args(["-rm", "sh", "-c", script, "sh", &format!("{filler}b: 1\n")]);
    let said = command.output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(1), "{text}");
    assert!(text.contains("disk_full"), "{text}");
    assert_eq!(bench.read("left").trim(), "v.yml", "{text}");
}

#[test]
fn a_killed_set_leaves_the_old_or_the_new() {
    let bench = Bench::new();
    bench.write("pass", "a password of some length");
    let big: String = (0..3000).map(|n| format!("key{n}: value{n}\n")).collect();
    bench.write("v.yml", &format!("a: start\n{big}"));
    bench.tool("ansible-vault", "encrypt --vault-password-file pass v.yml", "").ok();
    let get =
        || bench.secret("get --file v.yml --var a --vault-password-file pass").ok().json()["value"].clone();
    let mut last = get();
    for n in 0..secret_stories::kills() * 5 {
        bench.write("new", &format!("value {n}"));
        let mut child =
            bench.start("secret set --file v.yml --var a --vault-password-file pass --value-file new");
        std::thread::sleep(std::time::Duration::from_millis((n as u64 * 37) % 160));
        child.kill().unwrap();
        child.wait().unwrap();
        let value = get();
        assert!(value == last || value == format!("value {n}"), "{value}");
        last = value;
    }
    bench.secret("set --file v.yml --var a --vault-password-file pass --value-file pass").ok();
    assert!(!bench.path(".v.yml.meshctl-new").exists());
}
