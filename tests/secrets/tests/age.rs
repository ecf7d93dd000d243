//! age files between `age` and `meshctl secret`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use secret_stories::Bench;

#[test]
fn files_go_both_ways_armored_or_not() {
    let bench = Bench::new();
    let (mine, yours) = (bench.age_key("mine"), bench.age_key("yours"));
    bench.write("recipients.txt", &format!("# us\n{mine}\n{yours}\n"));
    for armor in ["", "-a"] {
        bench.write("plain", "old secret\n");
        bench.tool("age", &format!("{armor} -R recipients.txt -o x.age plain"), "").ok();
        let got = bench.secret("get --file x.age --age-identity mine").ok().json();
        assert_eq!(got["value"], "old secret\n");
        bench.write("new", "new secret\n");
        bench.secret("set --file x.age --exact --age-identity mine --value-file new").ok();
        for key in ["mine", "yours"] {
            assert_eq!(bench.tool("age", &format!("-d -i {key} x.age"), "").ok().out, "new secret\n");
        }
        assert_eq!(std::fs::read(bench.path("x.age")).unwrap().starts_with(b"-----BEGIN"), armor == "-a");
        let one = bench
            .secret(&format!("set --file x.age --age-identity mine --value-file plain --recipient {mine}"));
        assert_eq!(one.refusal(), "bad_key");
        bench.secret(&format!("rekey x.age --age-identity mine --recipient {mine}")).ok();
        assert_ne!(bench.tool("age", "-d -i yours x.age", "").code, 0);
        assert_eq!(bench.secret("get --file x.age --age-identity yours").refusal(), "wrong_recipient");
    }
}

#[test]
fn ssh_keys_open_and_receive() {
    let bench = Bench::new();
    for kind in ["ed25519", "rsa"] {
        bench.tool("ssh-keygen", &format!("-q -t {kind} -N '' -C me -f {kind}"), "").ok();
        bench.write("plain", "for an ssh key");
        bench.tool("age", &format!("-R {kind}.pub -o x.age plain"), "").ok();
        let got = bench.secret(&format!("get --file x.age --age-identity {kind}")).ok().json();
        assert_eq!(got["value"], "for an ssh key");
        bench.write("new", "changed");
        bench
            .secret(&format!(
                "set --file x.age --age-identity {kind} --recipients-file {kind}.pub --value-file new"
            ))
            .ok();
        assert_eq!(bench.tool("age", &format!("-d -i {kind} x.age"), "").ok().out, "changed");
    }
}

#[test]
fn broken_files_have_words_of_their_own() {
    let bench = Bench::new();
    let mine = bench.age_key("mine");
    bench.write("plain", &"secret ".repeat(100));
    bench.tool("age", &format!("-r {mine} -o x.age plain"), "").ok();
    let good = std::fs::read(bench.path("x.age")).unwrap();
    let code = |bytes: &[u8]| {
        std::fs::write(bench.path("y.age"), bytes).unwrap();
        bench.secret("get --file y.age --age-identity mine").refusal()
    };
    assert_eq!(code(&good[..good.len() - 20]), "truncated");
    assert_eq!(code(&good[..60]), "damaged");
    let end = good.windows(4).position(|w| w == b"--- ").unwrap();
    let mut changed = good.clone();
    changed[end + 8] = if changed[end + 8] == b'A' { b'B' } else { b'A' };
    assert_eq!(code(&changed), "tampered");
    assert_eq!(bench.secret("get --file x.age").refusal(), "no_key");
    bench.write("huge.yml", &"a: b\n".repeat(10 << 20));
    let huge = bench.secret("list huge.yml");
    assert_eq!(huge.refusal(), "too_large");
    assert_eq!(bench.secret("list nowhere").refusal(), "no_such_file");
}
