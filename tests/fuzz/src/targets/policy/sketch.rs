//! Policies from nothing: mostly well-formed, so that what lies behind the parser is met.

use serde_json::{Value, json};

use crate::Dice;

const SOURCES: [&str; 18] = [
    "*",
    "alice@",
    "alice@example.com",
    "bob@example.com",
    "group:x",
    "group:y",
    "tag:a",
    "tag:b",
    "tag:gw",
    "office",
    "100.64.0.0/30",
    "100.64.0.2-100.64.0.5",
    "ipset:x",
    "user:*@example.com",
    "autogroup:member",
    "autogroup:tagged",
    "autogroup:admin",
    "autogroup:danger-all",
];
const DESTINATIONS: [&str; 16] = [
    "*",
    "tag:a",
    "tag:b",
    "tag:gw",
    "group:x",
    "alice@",
    "office",
    "10.1.0.0/16",
    "10.0.0.0/8",
    "fd00:1::/64",
    "10.1.0.1-10.3.0.9",
    "ipset:x",
    "svc:web",
    "autogroup:self",
    "autogroup:internet",
    "autogroup:tagged",
];
const PEOPLE: [&str; 5] = ["alice@example.com", "group:x", "autogroup:member", "user:*@example.com", "bob@"];
const PORTS: [&str; 5] = ["*", "22", "80-443", "22,8080", "1-65535"];
const CAPS: [&str; 3] = ["example.com/cap/x", "tailscale.com/cap/drive", "tailscale.com/cap/relay"];

/// A policy of some sections.
pub(super) fn policy(dice: &mut Dice) -> Value {
    let mut policy = json!({
        "groups": {"group:x": ["alice@example.com", "bob@"], "group:y": []},
        "hosts": {"office": "10.1.0.0/16"},
        "ipsets": {"ipset:x": ["10.0.0.0/8", "remove 10.1.0.0/16", "100.64.0.3"]},
        "tagOwners": {"tag:a": ["alice@example.com"], "tag:b": ["group:x"], "tag:gw": ["autogroup:member"]},
    });
    for section in 0..7 {
        if !dice.once_in(2) {
            continue;
        }
        let (name, value) = match section {
            0 => ("acls", some(dice, rule)),
            1 => ("grants", some(dice, grant)),
            2 => ("ssh", some(dice, login)),
            3 => ("nodeAttrs", some(dice, attribute)),
            4 => (
                "autoApprovers",
                json!({"routes": {"10.0.0.0/8": names(dice, &PEOPLE)}, "exitNode": ["tag:gw"]}),
            ),
            5 => ("tests", some(dice, trial)),
            _ => ("sshTests", some(dice, login_trial)),
        };
        policy[name] = value;
    }
    policy
}

fn some(dice: &mut Dice, make: fn(&mut Dice) -> Value) -> Value {
    (0..dice.below(4)).map(|_| make(dice)).collect()
}

fn names(dice: &mut Dice, from: &[&str]) -> Vec<String> {
    (0..dice.few().min(3)).filter_map(|_| dice.pick(from)).map(|name| (*name).to_owned()).collect()
}

fn one(dice: &mut Dice, from: &[&str]) -> String {
    dice.pick(from).copied().unwrap_or_default().to_owned()
}

fn rule(dice: &mut Dice) -> Value {
    let to: Vec<_> =
        names(dice, &DESTINATIONS).iter().map(|name| format!("{name}:{}", one(dice, &PORTS))).collect();
    let mut rule = json!({"action": "accept", "src": names(dice, &SOURCES), "dst": to});
    if dice.once_in(4) {
        rule["proto"] = one(dice, &["tcp", "udp", "icmp", "6", "sctp"]).into();
    }
    rule
}

fn grant(dice: &mut Dice) -> Value {
    let mut grant = json!({"src": names(dice, &SOURCES), "dst": names(dice, &DESTINATIONS)});
    if !dice.once_in(3) {
        grant["ip"] = json!([one(dice, &["*", "22", "tcp:80-443", "udp:53", "icmp:*"])]);
    }
    if dice.once_in(3) {
        grant["app"] = json!({one(dice, &CAPS): [{"level": dice.below(3)}]});
    }
    if dice.once_in(4) {
        grant["via"] = json!([one(dice, &["tag:gw", "tag:b"])]);
    }
    grant
}

fn login(dice: &mut Dice) -> Value {
    json!({
        "action": one(dice, &["accept", "check"]),
        "src": names(dice, &PEOPLE),
        "dst": names(dice, &["tag:a", "tag:gw", "autogroup:self", "alice@example.com"]),
        "users": names(dice, &["root", "autogroup:nonroot", "localpart:*@example.com", "ubuntu"]),
    })
}

fn attribute(dice: &mut Dice) -> Value {
    json!({"target": names(dice, &SOURCES), "attr": names(dice, &["funnel", "suggest-exit-node", "example.com/x"])})
}

fn trial(dice: &mut Dice) -> Value {
    let aim = |dice: &mut Dice| {
        format!("{}:{}", one(dice, &["tag:a", "tag:b", "100.64.0.1", "office"]), one(dice, &["22", "80"]))
    };
    json!({"src": one(dice, &SOURCES), "accept": [aim(dice)], "deny": [aim(dice)]})
}

fn login_trial(dice: &mut Dice) -> Value {
    json!({"src": one(dice, &PEOPLE), "dst": ["tag:a"], "accept": ["root"], "deny": ["ubuntu"]})
}
