//! Questions about policies: differences, explanations, tables.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

#[path = "ask/laws.rs"]
mod laws;
#[allow(dead_code, reason = "shared with the other laws")]
#[path = "laws/oracle.rs"]
mod oracle;
#[path = "ask/own.rs"]
mod own;
#[allow(dead_code, reason = "shared with the other laws")]
#[path = "laws/worlds.rs"]
mod worlds;

use policy::{Device, Difference, Document, Explanation, Person, Question, Roster, Shift};

fn document(rules: &str) -> Document {
    let text = format!(
        r#"{{
"groups": {{"group:ops": ["alice@", "bob@"], "group:dev": ["carol@"]}},
"tagOwners": {{"tag:web": [], "tag:db": [], "tag:router": [], "tag:ci": []}},
{rules}
}}"#
    );
    Document::parse(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

fn device(name: &str, number: u8, tag: Option<&str>, owner: Option<usize>) -> Device {
    Device {
        traits: None,
        name: name.into(),
        host: name.into(),
        tags: tag.map(|tag| tag.parse().unwrap()).into_iter().collect(),
        owner,
        v4: [100, 64, 0, number].into(),
        v6: std::net::Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, number.into()),
        routes: Vec::new(),
    }
}

/// Two web servers, a database, a router with a network, and devices of alice (two), bob and carol.
fn roster() -> Roster {
    let person = |name: &str| Person { name: name.into(), email: String::new(), roles: Some(Vec::new()) };
    let mut router = device("router", 4, Some("tag:router"), None);
    router.routes = vec!["10.1.0.0/16".parse().unwrap()];
    let devices = vec![
        device("web-1", 1, Some("tag:web"), None),
        device("web-2", 2, Some("tag:web"), None),
        device("db", 3, Some("tag:db"), None),
        router,
        device("alices-laptop", 10, None, Some(0)),
        device("alices-phone", 11, None, Some(0)),
        device("bobs", 12, None, Some(1)),
        device("carols", 13, None, Some(2)),
    ];
    Roster { people: ["alice", "bob", "carol"].map(person).into(), devices }
}

fn compare(old: &str, new: &str) -> Difference {
    document(old).difference(&document(new), &roster(), &[]).unwrap()
}

fn told(shifts: &[Shift]) -> Vec<String> {
    shifts.iter().map(|shift| format!("{shift} [{}]", shift.pairs)).collect()
}

fn acl(from: &str, to: &str) -> String {
    format!(r#"{{"action": "accept", "src": ["{from}"], "dst": ["{to}"]}}"#)
}

fn acls(rules: &[String]) -> String {
    format!("\"acls\": [\n{}\n]", rules.join(",\n"))
}

#[test]
fn a_new_rule_is_a_gain_with_its_line() {
    let old = acls(&[acl("tag:web", "tag:db:5432")]);
    let new = acls(&[acl("tag:web", "tag:db:5432"), acl("group:ops", "tag:web:22,80")]);
    let found = compare(&old, &new);
    assert_eq!(told(&found.gained), ["group:ops (3) → tag:web (2): 22,80 [6]"]);
    assert_eq!(found.gained[0].line, Some(6));
    assert!(found.gained[0].rule.starts_with("{\"action\"") && found.gained[0].rule.contains("22,80"));
    assert!(found.lost.is_empty() && found.complete && !found.is_narrowing());
    let roster = roster();
    let pairs: Vec<_> = found.gained[0].each(&roster).collect();
    assert_eq!(pairs.len(), 6);
    assert!(pairs.contains(&("bobs", "web-2")));
    let back = compare(&new, &old);
    assert!(back.gained.is_empty() && back.is_narrowing());
    assert_eq!(told(&back.lost), ["group:ops (3) → tag:web (2): 22,80 [6]"]);
}

#[test]
fn what_was_open_already_is_no_gain() {
    let wide = acls(&[acl("group:ops", "tag:web:*"), acl("tag:web", "tag:db:1-1000")]);
    let same = acls(&[
        acl("tag:web", "tag:db:1-500"),
        acl("alice@", "tag:web:443"),
        acl("tag:web", "tag:db:501-1000"),
        acl("group:ops", "tag:web:*"),
    ]);
    let found = compare(&wide, &same);
    assert!(found.gained.is_empty() && found.lost.is_empty(), "{found:?}");
    let found = compare(&same, &acls(&[acl("tag:web", "tag:db:1-1001")]));
    assert_eq!(told(&found.gained), ["tag:web (2) → tag:db (1): tcp,udp 1001 [2]"]);
}

#[test]
fn networks_count_by_what_they_hold() {
    let narrow = acls(&[acl("tag:web", "10.1.2.0/24:443")]);
    let wide = acls(&[acl("tag:web", "10.0.0.0/8:443")]);
    let found = compare(&narrow, &wide);
    assert_eq!(found.gained.len(), 1);
    let to: Vec<_> = found.gained[0].to.iter().map(|side| (side.name.as_str(), side.devices)).collect();
    assert_eq!(to, [("10.0.0.0/8", 0), ("10.1.0.0/16", 1)]);
    assert!(compare(&wide, &narrow).is_narrowing());
}

#[test]
fn a_tag_that_nobody_can_have_yet_is_foretold() {
    let with_tag = |owners: &str| {
        let text = format!(
            r#"{{"tagOwners": {{"tag:web": [], "tag:new": [{owners}]}},
                "acls": [{{"action": "accept", "src": ["tag:new"], "dst": ["tag:web:22"]}}]}}"#
        );
        Document::parse(&text).unwrap()
    };
    let old = Document::parse(r#"{"tagOwners": {"tag:web": []}, "acls": []}"#).unwrap();
    let found = old.difference(&with_tag(""), &roster(), &[]).unwrap();
    assert!(found.is_narrowing() && found.gained.iter().all(|shift| shift.foretold));
    assert_eq!(told(&found.gained), ["tag:new → tag:web (2): 22 [0]"]);
    let found = old.difference(&with_tag("\"alice@\""), &roster(), &[]).unwrap();
    assert!(!found.is_narrowing(), "alice may put the tag on her devices");
    let found = old.difference(&with_tag(""), &roster(), &[vec!["tag:new".parse().unwrap()]]).unwrap();
    assert!(!found.is_narrowing(), "a key carries the tag");
}

#[test]
fn logins_have_grades() {
    let ssh = |action: &str, users: &str| {
        format!(
            r#""ssh": [{{"action": "{action}", "src": ["group:ops"], "dst": ["tag:web"], "users": [{users}]}}]"#
        )
    };
    let check = ssh("check", "\"root\"");
    let found = compare(&check, &ssh("accept", "\"root\""));
    assert_eq!(told(&found.gained), ["group:ops (3) → tag:web (2): as root without a check [6]"]);
    assert!(compare(&ssh("accept", "\"root\""), &check).is_narrowing());
    let found = compare(&check, &ssh("check", "\"root\", \"autogroup:nonroot\""));
    assert_eq!(told(&found.gained), ["group:ops (3) → tag:web (2): as autogroup:nonroot after a check [6]"]);
    let found = compare(&ssh("accept", "\"autogroup:nonroot\""), &ssh("accept", "\"deploy\""));
    assert!(found.is_narrowing(), "{:?}", told(&found.gained));
    let both = r#""ssh": [
        {"action": "accept", "src": ["group:ops"], "dst": ["tag:web"], "users": ["root"]},
        {"action": "check", "src": ["group:ops"], "dst": ["tag:web"], "users": ["root"]}]"#;
    assert!(!compare(both, &ssh("accept", "\"root\"")).is_narrowing(), "the check is gone");
}

#[test]
fn capabilities_claims_and_approvals_are_gains_too() {
    let grant = |cap: &str| {
        format!(
            r#""grants": [{{"src": ["group:dev"], "dst": ["tag:db"], "app": {{"example.com/cap/{cap}": [{{"role": "reader"}}]}}}}]"#
        )
    };
    let found = compare(&grant("read"), &grant("write"));
    assert_eq!(told(&found.gained), ["group:dev (1) → tag:db (1): example.com/cap/write [1]"]);
    let found =
        compare(&acls(&[]), r#""acls": [], "autoApprovers": {"routes": {"10.0.0.0/8": ["tag:router"]}}"#);
    assert_eq!(
        told(&found.gained),
        ["tag:router (1) → 10.0.0.0/8, 10.1.0.0/16 (1): served without approval [1]"]
    );
    assert_eq!(found.gained[0].line, Some(4));
    let old = Document::parse(r#"{"tagOwners": {"tag:web": []}}"#).unwrap();
    let new = Document::parse(r#"{"tagOwners": {"tag:web": ["alice@"]}}"#).unwrap();
    let found = old.difference(&new, &roster(), &[]).unwrap();
    assert_eq!(told(&found.gained), ["alice@ (2) → tag:web: may put it on devices [0]"]);
}

#[test]
fn a_session_that_need_not_be_recorded_is_more() {
    let ssh = |recorder: &str| {
        format!(
            r#""ssh": [{{"action": "accept", "src": ["group:ops"], "dst": ["tag:web"], "users": ["root"]{recorder}}}]"#
        )
    };
    let (free, loose) = (ssh(""), ssh(r#", "recorder": ["tag:db"]"#));
    let strict = ssh(r#", "recorder": ["tag:db"], "enforceRecorder": true"#);
    let elsewhere = ssh(r#", "recorder": ["tag:ci"], "enforceRecorder": true"#);
    for (old, new, how) in [
        (&strict, &free, "unrecorded"),
        (&strict, &loose, "recorded or not"),
        (&loose, &free, "unrecorded"),
        (&strict, &elsewhere, "recorded elsewhere"),
    ] {
        let gained = told(&compare(old, new).gained);
        assert_eq!(gained, [format!("group:ops (3) → tag:web (2): as root {how} [6]")]);
    }
    for (old, new) in [(&free, &strict), (&free, &loose), (&loose, &strict), (&strict, &strict)] {
        assert!(compare(old, new).is_narrowing());
    }
}

#[test]
fn attributes_are_gains_of_those_who_are_told_them() {
    let attrs = |list: &str| format!(r#""nodeAttrs": [{list}]"#);
    let share = attrs(r#"{"target": ["tag:web"], "attr": ["drive:share"]}"#);
    let found = compare(&attrs(""), &share);
    assert_eq!(told(&found.gained), ["tag:web (2) → itself: drive:share [0]"]);
    assert_eq!((found.gained[0].line, found.lost.len()), (Some(4), 0));
    assert!(compare(&share, &attrs("")).is_narrowing() && compare(&share, &share).is_narrowing());
    let wider = attrs(
        r#"{"target": ["*"], "attr": ["drive:share"]}, {"target": ["tag:db"], "attr": ["drive:share"]}"#,
    );
    let gained = told(&compare(&share, &wider).gained).concat();
    assert!(gained.contains("tag:db") && !gained.contains("tag:web"), "{gained}");
    let app = |domain: &str| {
        attrs(&format!(
            r#"{{"target": ["tag:router"], "app": {{"tailscale.com/app-connectors": [{{"name": "x", "domains": ["{domain}"]}}]}}}}"#
        ))
    };
    let gained = told(&compare(&app("a.example.com"), &app("b.example.com")).gained);
    assert_eq!(gained, ["tag:router (1) → itself: tailscale.com/app-connectors [0]"]);
}

#[test]
fn another_router_is_another_way() {
    let by = |via: &str| {
        format!(r#""grants": [{{"src": ["tag:web"], "dst": ["10.1.0.0/16"], "ip": ["443"]{via}}}]"#)
    };
    let (any, one) = (by(""), by(r#", "via": ["tag:router"]"#));
    assert!(compare(&any, &one).is_narrowing());
    assert_eq!(told(&compare(&one, &any).gained), ["tag:web (2) → 10.1.0.0/16 (1): 443 [2]"]);
}

fn explain(rules: &str, from: &str, to: &str, port: u16) -> Explanation {
    let question = Question { from: from.into(), to: to.into(), port: Some(port), ..Question::default() };
    document(rules).explain(&roster(), &question).unwrap()
}

#[test]
fn a_rule_is_named_with_its_line_and_words() {
    let rules = acls(&[acl("tag:web", "tag:db:5432"), acl("group:ops", "tag:db:22")]);
    let found = explain(&rules, "bobs", "DB", 22);
    assert!(found.allowed);
    assert_eq!((found.because[0].line, found.because[0].opens.as_str()), (Some(6), "22"));
    assert_eq!((found.from.as_str(), found.to.as_str()), ("bobs (bob)", "db (tag:db)"));
    assert!(explain(&rules, "group:ops", "tag:db", 22).allowed);
    assert!(explain(&rules, "100.64.0.1", "100.64.0.3", 5432).allowed);
}

#[test]
fn a_denial_says_what_is_lacking() {
    let rules = acls(&[acl("tag:web", "tag:db:5432"), acl("group:ops", "tag:web:22")]);
    let hint = |from: &str, to: &str, port| explain(&rules, from, to, port).nearest[0].hint.clone();
    assert_eq!(hint("bobs", "db", 22), "the rule at line 6 would open it if db (tag:db) were tagged tag:web");
    assert_eq!(
        hint("carols", "web-1", 22),
        "the rule at line 6 would open it if carols (carol) were a device of somebody in group:ops"
    );
    assert_eq!(hint("web-1", "db", 80), "the rule at line 5 would open it if it opened 80, not only 5432");
    assert!(explain("\"acls\": []", "web-1", "db", 80).nearest.is_empty());
}

#[test]
fn a_network_needs_a_router() {
    let rules = acls(&[acl("tag:web", "10.0.0.0/8:443")]);
    let found = explain(&rules, "web-1", "10.1.2.3", 443);
    assert!(found.allowed);
    assert_eq!(found.notes, ["behind router"]);
    let found = explain(&rules, "web-1", "10.2.2.3", 443);
    assert!(!found.allowed && !found.because.is_empty());
    assert!(found.notes[0].contains("no device has an approved route"));
    let found = explain(&rules, "web-1", "internet", 443);
    assert!(!found.allowed && found.notes[0].contains("exit node"));
}

#[test]
fn a_login_needs_its_rule_and_its_port() {
    let ask = |rules: &str, from: &str, user: &str| {
        let question = Question {
            from: from.into(),
            to: "web-1".into(),
            ssh_user: Some(user.into()),
            ..Question::default()
        };
        document(rules).explain(&roster(), &question).unwrap()
    };
    let ssh = r#""ssh": [{"action": "check", "src": ["group:ops"], "dst": ["tag:web"], "users": ["root"]}]"#;
    let only_ssh = format!("\"acls\": [],\n{ssh}");
    let found = ask(&only_ssh, "bobs", "root");
    assert!(!found.allowed && found.login.as_ref().unwrap().allowed && found.login.unwrap().checked);
    let both = format!("{},\n{ssh}", acls(&[acl("group:ops", "tag:web:22")]));
    assert!(ask(&both, "bobs", "root").allowed);
    let login = ask(&both, "bobs", "deploy").login.unwrap();
    assert!(!login.allowed);
    assert!(login.nearest[0].hint.ends_with("if it let in as deploy, not only as root"), "{login:?}");
    assert!(!ask(&both, "carols", "root").allowed);
}

#[test]
fn words_that_mean_nothing_are_named() {
    let rules = document("\"acls\": []");
    for (from, to, what) in [
        ("wbe-1", "db", "did you mean \"web-1\"?"),
        ("web-1", "group:opps", "did you mean \"group:ops\"?"),
        ("internet", "db", "nothing comes from the internet"),
        ("tag:", "db", "tag"),
    ] {
        let question = Question { from: from.into(), to: to.into(), ..Question::default() };
        let error = rules.explain(&roster(), &question).unwrap_err();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn a_matrix_has_a_row_for_whom_no_rule_tells_apart() {
    let rules =
        acls(&[acl("tag:web", "tag:db:5432"), acl("group:ops", "*:*"), acl("group:ops", "tag:web:22")]);
    let matrix = document(&rules).matrix(&roster()).unwrap();
    let row = |name: &str| matrix.rows.iter().position(|row| row.side.name.contains(name)).unwrap();
    let cell = |from: &str, to: &str| {
        let (from, to) = (row(from), row(to));
        matrix.cells.iter().find(|cell| cell.from == from && cell.to == to)
    };
    assert_eq!(cell("tag:web", "tag:db").unwrap().ports, "5432");
    let all = cell("group:ops", "tag:web").unwrap();
    assert!(all.all && all.lines == [6, 7], "{all:?}");
    assert!(cell("group:ops", "autogroup:internet").unwrap().all);
    assert!(cell("tag:db", "tag:web").is_none());
    assert_eq!(matrix.rows[row("group:ops")].side.devices, 3);
}

#[test]
fn a_policy_tests_itself_on_imagined_devices() {
    let with = |rules: &str| document(&format!("{},\n{rules}", acls(&[acl("group:ops", "tag:db:22")])));
    let good = with(r#""tests": [{"src": "alice@", "accept": ["tag:db:22"], "deny": ["tag:web:22"]}]"#);
    assert_eq!((good.tests(), good.try_tests(&good.imagined_roster())), (1, vec![]));
    let bad = with(r#""tests": [{"src": "carol@", "accept": ["tag:db:22"]}]"#);
    assert_eq!(bad.try_tests(&bad.imagined_roster()).len(), 1);
}

#[test]
fn many_of_everything_stay_within_bounds() {
    let person = |n: usize| Person { name: format!("p{n}"), ..Person::default() };
    let some = |n: usize| {
        let [_, _, high, low] = (n as u32 + 1).to_be_bytes();
        let mut device = device(&format!("d{n}"), 1, None, Some(n));
        device.v4 = [100, 64, high, low].into();
        device
    };
    let roster = Roster { people: (0..5000).map(person).collect(), devices: (0..5000).map(some).collect() };
    let rules = |from: usize| {
        let rule = |n: usize| acl(&format!("p{n}@"), &format!("p{}@:22", n + 1));
        acls(&(from..from + 1000).map(rule).collect::<Vec<_>>())
    };
    let found = document(&rules(0)).difference(&document(&rules(500)), &roster, &[]).unwrap();
    assert_eq!((found.gained.len(), found.lost.len(), found.complete), (500, 500, true));
    assert!(document(&rules(0)).matrix(&roster).is_err());
    let all = acls(&[acl("*", "*:*")]);
    let found = document(&rules(0)).difference(&document(&all), &roster, &[]).unwrap();
    assert!(!found.is_narrowing());
}

/// A posture takes away; without it, or with another one, some device may gain, whether or not there is one.
#[test]
fn another_posture_widens() {
    let policy = |posture: &str, demanded: &str| {
        let text = format!(
            r#"{{"tagOwners": {{"tag:a": [], "tag:b": []}}, "postures": {{"posture:x": ["{posture}"]}},
            "acls": [{{"action": "accept", "src": ["tag:a"], "dst": ["tag:b:22"]{demanded}}}]}}"#
        );
        Document::parse(&text).unwrap()
    };
    let demanded = r#", "srcPosture": ["posture:x"]"#;
    let narrows =
        |old: &Document, new: &Document| old.difference(new, &Roster::default(), &[]).unwrap().is_narrowing();
    let (strict, loose) = (policy("node:tsVersion >= '1.80'", demanded), policy("node:os IS SET", demanded));
    let open = policy("node:os IS SET", "");
    assert!(narrows(&open, &strict) && narrows(&strict, &strict));
    assert!(!narrows(&strict, &open) && !narrows(&strict, &loose));
}
