//! Texts of policies: read, compiled and asked about a small tailnet.

mod laws;
mod roster;
mod sketch;

use policy::{Compiled, Document, Policy, Roster};
use serde_json::Value;

use super::{
    Outcome, Target,
    case::{corpus, shape},
};
use crate::{Dice, mutate, pool::Pool};

/// Words of the language, and names that the tailnet has.
pub(super) const WORDS: [&str; 72] = [
    "groups",
    "hosts",
    "tagOwners",
    "acls",
    "grants",
    "ssh",
    "nodeAttrs",
    "autoApprovers",
    "postures",
    "defaultSrcPosture",
    "ipsets",
    "tests",
    "sshTests",
    "randomizeClientPort",
    "disableIPv4",
    "OneCGNATRoute",
    "derpMap",
    "action",
    "accept",
    "check",
    "src",
    "dst",
    "proto",
    "ip",
    "app",
    "via",
    "srcPosture",
    "users",
    "checkPeriod",
    "acceptEnv",
    "target",
    "attr",
    "ipPool",
    "routes",
    "exitNode",
    "deny",
    "*",
    "*:*",
    "tag:a",
    "tag:b",
    "tag:a:22",
    "group:x",
    "group:x:443",
    "alice@",
    "alice@example.com",
    "user:*@example.com",
    "office",
    "office:1-65535",
    "ipset:x",
    "svc:x",
    "autogroup:member",
    "autogroup:self",
    "autogroup:self:*",
    "autogroup:internet",
    "autogroup:internet:*",
    "autogroup:tagged",
    "autogroup:danger-all",
    "autogroup:admin",
    "autogroup:nonroot",
    "autogroup:shared",
    "root",
    "localpart:*@example.com",
    "10.0.0.0/8",
    "10.1.0.0/16:22",
    "100.64.0.1",
    "100.64.0.1-100.64.0.3",
    "fd7a:115c:a1e0::1:80",
    "0.0.0.0/0",
    "tcp:22",
    "icmp:*",
    "remove 10.1.0.0/16",
    "tailscale.com/cap/drive",
];

pub struct Policies {
    roster: Roster,
}

impl Policies {
    pub fn new() -> Self {
        Self { roster: roster::roster() }
    }
}

impl Target for Policies {
    fn name(&self) -> &'static str {
        "policy"
    }
    fn about(&self) -> &'static str {
        "policies: HuJSON, the whole language, the compiled rules and what every node would be told"
    }
    fn weight(&self) -> u32 {
        6
    }
    fn longest(&self) -> usize {
        32 << 10
    }
    fn seeds(&self) -> Vec<Vec<u8>> {
        let mut texts: Vec<String> = corpus(usize::MAX)
            .iter()
            .filter_map(|case| case.get("policy"))
            .map(|policy| policy.as_str().map_or_else(|| policy.to_string(), str::to_owned))
            .collect();
        texts.sort_by_key(String::len);
        texts.dedup();
        texts.truncate(300);
        let mut dice = Dice::new(0);
        texts.extend((0..50).map(|_| sketch::policy(&mut dice).to_string()));
        texts.into_iter().map(String::into_bytes).collect()
    }
    fn next(&self, pool: &Pool, dice: &mut Dice) -> Vec<u8> {
        let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
        let tree = match dice.below(10) {
            0..3 => Some(sketch::policy(dice)),
            3..9 => {
                let donor = parse(pool.pick(dice)).unwrap_or_else(|| sketch::policy(dice));
                parse(pool.pick(dice)).map(|parent| mutate::altered(parent, &donor, &WORDS, dice))
            }
            _ => None,
        };
        match tree {
            Some(tree) if dice.once_in(2) => tree.to_string().into_bytes(),
            Some(tree) => mutate::dressed(&tree, dice).into_bytes(),
            None => {
                let text = String::from_utf8_lossy(pool.pick(dice)).into_owned();
                mutate::respelled(&text, &WORDS, dice).into_bytes()
            }
        }
    }
    fn run(&self, input: &[u8]) -> Result<Outcome, String> {
        let text = String::from_utf8_lossy(input);
        let (served, document) = (Policy::parse(&text), Document::parse(&text));
        for errors in [served.as_ref().err(), document.as_ref().err()].into_iter().flatten() {
            laws::errors(&text, errors)?;
        }
        super::law(served.is_err() || document.is_ok(), || "a server takes what is no policy".to_owned())?;
        let mut said: Vec<String> = document
            .as_ref()
            .err()
            .into_iter()
            .flat_map(|errors| errors.iter())
            .map(|error| shape(&error.message))
            .collect();
        said.sort();
        said.dedup();
        let served = match &served {
            Ok(policy) => Some(laws::served(policy, &Compiled::compile(policy), &self.roster)?),
            Err(_) => None,
        };
        let answered = document.ok().map(|document| laws::answered(&document, &self.roster)).transpose()?;
        Ok(Outcome::of((said, served, answered)))
    }
}
