//! Text that is no policy: always an answer, with a place inside the text, in bounded time.

use policy::{Compiled, MAX_BYTES, MAX_DEPTH, MAX_RULES, Policy, PolicyErrors};
use proptest::prelude::*;

const GOOD: &str = include_str!("../../../../control/templates/starter-policy.hujson");

fn first(result: Result<Policy, PolicyErrors>) -> String {
    result.unwrap_err().iter().next().unwrap().to_string()
}

fn check_places(text: &str) -> Result<(), TestCaseError> {
    let Err(errors) = Policy::parse(text) else { return Ok(()) };
    prop_assert!((1..=100).contains(&errors.iter().count()));
    let mut last = (0, 0);
    for error in errors.iter() {
        let line = text.split('\n').nth(error.line as usize - 1);
        let inside = line.is_some_and(|line| (error.column as usize) <= line.chars().count() + 1);
        prop_assert!(inside && error.column > 0, "{:?} in {:?}", error, text);
        prop_assert!((error.line, error.column) >= last, "in the order of the text");
        prop_assert!(!error.message.is_empty() && error.message.chars().count() <= 301);
        last = (error.line, error.column);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC{0,80}") {
        check_places(&text)?;
    }

    #[test]
    fn any_tokens_are_answered(tokens in proptest::collection::vec(proptest::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"acls\"", "\"src\"", "\"dst\"", "\"groups\"", "\"*\"", "\"*:*\"", "null", "1e9",
        "\"tag:é\"", "\"group:\"", "\"tagOwners\"", "//x\n", "/*", "*/", "\n", "\"hosts\"", "\"\\u0000:\"", "true", "é",
        "\"autoApprovers\"", "\"routes\"", "\"::/0:1\"", "\"@\"", "\"autogroup:\"",
    ]), 0..40)) {
        check_places(&tokens.concat())?;
    }

    #[test]
    fn a_damaged_policy_is_answered(at in 0..GOOD.len(), cut in 0..20usize, new in "\\PC{0,3}") {
        let (Some(head), Some(tail)) = (GOOD.get(..at), GOOD.get((at + cut).min(GOOD.len())..)) else { return Ok(()) };
        check_places(&format!("{head}{new}{tail}"))?;
    }
}

#[test]
fn sizes_are_bounded() {
    let spaces = " ".repeat(MAX_BYTES);
    assert!(first(Policy::parse(&format!("{{}}{spaces}"))).contains("at most 1048576 bytes"));
    let deep = |levels: usize| format!("{{\"acls\": {}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(first(Policy::parse(&deep(MAX_DEPTH))).contains("at most 32 levels"));
    assert!(!first(Policy::parse(&deep(MAX_DEPTH - 1))).contains("levels"));
    assert!(first(Policy::parse(&"[".repeat(100_000))).contains("at most 32 levels"));
    let in_text = format!("{{\"#\": \"{}\" /* [[[[ */}} // [[[", "[".repeat(100));
    assert!(!first(Policy::parse(&in_text)).contains("levels"), "brackets in texts and comments do not nest");
    let in_comment = format!("{{}} /*/ {} */ x", "[".repeat(100));
    assert!(!first(Policy::parse(&in_comment)).contains("levels"));
    let rule = r#"{"action":"accept","src":["*"],"dst":["*:*"]},"#;
    let many = |count: usize| format!("{{\"acls\":[{}]}}", rule.repeat(count));
    assert!(Policy::parse(&many(MAX_RULES)).is_ok());
    assert!(first(Policy::parse(&many(MAX_RULES + 1))).contains("at most 10000 rules"));
}

/// A short text may stand for much: sets in many rules, ranges that are many prefixes, protocols times destinations.
#[test]
fn what_the_rules_stand_for_is_bounded() {
    let nets: String = (0..9_000).map(|n| format!("\"10.{}.{}.1\",", n / 250, n % 250)).collect();
    let rule = r#"{"action":"accept","src":["ipset:a"],"dst":["ipset:a:1"]},"#;
    let of_set =
        |rules: usize| format!(r#"{{"ipsets":{{"ipset:a":[{nets}]}},"acls":[{}]}}"#, rule.repeat(rules));
    assert!(Policy::parse(&of_set(11)).is_ok());
    assert!(first(Policy::parse(&of_set(5_000))).contains("name more than 200000 networks"));
    let ranges = r#""::1-fffe:ffff:ffff:ffff:ffff:ffff:ffff:fffe","#.repeat(20_000);
    let of_ranges = format!(r#"{{"acls":[{{"action":"accept","src":[{ranges}],"dst":["*:*"]}}]}}"#);
    assert!(first(Policy::parse(&of_ranges)).contains("name more than 200000 networks"));
    let (hosts, ip) =
        (r#""*","#.repeat(100_000), (1..255).map(|n| format!("\"{n}:*\",")).collect::<String>());
    let grant = format!(r#"{{"grants":[{{"src":["*"],"dst":[{hosts}],"ip":[{ip}]}}]}}"#);
    assert!(first(Policy::parse(&grant)).contains("name more than 200000 networks"));
    let again =
        format!(r#"{{"ipsets":{{"ipset:a":[{nets}],"ipset:b":[{}]}}}}"#, r#""ipset:a","#.repeat(1_000));
    assert!(first(Policy::parse(&again)).contains("at most 10000 networks"));
}

#[test]
fn errors_are_bounded_too() {
    let names: String = (0..20_000).map(|n| format!("\"tag:no{n}\",")).collect();
    let text = format!(r#"{{"acls":[{{"action":"accept","src":[{names}],"dst":["*:*"]}}]}}"#);
    assert_eq!(Policy::parse(&text).unwrap_err().iter().count(), 100);
    let long = format!("{{\"{}\": 1}}", "x".repeat(100_000));
    assert!(first(Policy::parse(&long)).len() < 1_000);
}

#[test]
fn what_is_empty_denies() {
    assert!(first(Policy::parse("")).contains("empty"));
    assert!(first(Policy::parse("// only a remark\n")).contains("empty"));
    for policy in
        [Policy::deny_all(), Policy::parse("{}").unwrap(), Policy::parse("{\"acls\": null}").unwrap()]
    {
        let compiled = Compiled::compile(&policy);
        assert!(compiled.rules().is_empty());
        assert!(compiled.opens(&["tag:a".parse().unwrap()]).is_nothing());
        assert_eq!(Policy::parse(policy.text()).unwrap().text(), policy.text());
    }
}
