//! Texts that become names: of hosts, people, roles, tags and keys.

use std::{collections::BTreeSet, sync::Arc};

use ident::{ApiKeyId, AuthKeyId, DiscoKey, MachineKey, NodeId, NodeKey, Tag, UserId};
use wire::Hostinfo;
use world::{Command, Draft};

use super::{
    Outcome, Target, law,
    world::{Tailnet, context},
};
use crate::{Dice, mutate, pool::Pool};

pub struct Names;

const WORDS: [&str; 24] = [
    "web",
    "-",
    ".",
    "--",
    "..",
    "tag:",
    "nodekey:",
    "mkey:",
    "discokey:",
    "xn--",
    "ı",
    "K",
    "ſ",
    "ﬀ",
    "０",
    "\u{200d}",
    "@",
    "autogroup:",
    "group:",
    "localhost",
    "*",
    "9007199254740991",
    "9007199254740992",
    "%00",
];

impl Target for Names {
    fn name(&self) -> &'static str {
        "names"
    }
    fn about(&self) -> &'static str {
        "names of hosts, people, roles, tags; texts of keys and ids"
    }
    fn longest(&self) -> usize {
        2 << 10
    }
    fn seeds(&self) -> Vec<Vec<u8>> {
        let long = "a".repeat(64);
        let texts = [
            "web",
            "Web-1",
            "db.example.com",
            "Alice's MacBook Pro.local",
            "",
            "-a-",
            "tag:web",
            "alice@example.com",
            &long,
            "nodekey:1111111111111111111111111111111111111111111111111111111111111111",
            "42",
            "Überraschung",
        ];
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }
    fn next(&self, pool: &Pool, dice: &mut Dice) -> Vec<u8> {
        let text = String::from_utf8_lossy(pool.pick(dice)).into_owned();
        mutate::respelled(&text, &WORDS, dice).into_bytes()
    }
    fn run(&self, input: &[u8]) -> Result<Outcome, String> {
        let text = String::from_utf8_lossy(input);
        let plain = wire::plain(&text);
        law(wire::plain(&plain) == plain, || format!("{plain:?} is made plain twice"))?;
        let read = (tag(&text)?, keys(&text)?, ids(&text)?);
        let hosts = (hostname(&text)?, renamed(&text)?, person(&text)?);
        Ok(Outcome::of((read, hosts, plain.len() == text.len())))
    }
}

fn tag(text: &str) -> Result<bool, String> {
    let Ok(tag) = text.parse::<Tag>() else { return Ok(false) };
    law(tag.as_str().parse::<Tag>().as_ref() == Ok(&tag), || format!("{tag} is read back as another"))?;
    Ok(true)
}

fn keys(text: &str) -> Result<bool, String> {
    let node = text.parse::<NodeKey>().ok();
    law(node.is_none_or(|key| key.to_string().parse() == Ok(key)), || {
        format!("{text:?} is read back as another")
    })?;
    let (machine, disco) = (text.parse::<MachineKey>().is_ok(), DiscoKey::parse_optional(text).is_ok());
    Ok(node.is_some() || machine || (disco && !text.is_empty()))
}

fn ids(text: &str) -> Result<bool, String> {
    let id = text.parse::<NodeId>().ok();
    let others =
        (text.parse::<UserId>().is_ok(), text.parse::<AuthKeyId>().is_ok(), text.parse::<ApiKeyId>().is_ok());
    law(others == (id.is_some(), id.is_some(), id.is_some()), || format!("ids disagree about {text:?}"))?;
    Ok(id.is_some())
}

fn hostname(text: &str) -> Result<usize, String> {
    let mut tailnet = Tailnet::begun()?;
    let host = Hostinfo { hostname: text.to_owned(), ..Hostinfo::default() }.sanitised();
    let mut seen = BTreeSet::new();
    for machine in 1..4 {
        tailnet.join(machine, Arc::new(host.clone()))?;
    }
    for node in tailnet.world.nodes.iter() {
        law(is_label(&node.name), || format!("{text:?} became {:?}", node.name))?;
        law(seen.insert(node.name.clone()), || format!("{:?} twice", node.name))?;
    }
    Ok(tailnet.world.nodes.iter().next().map_or(0, |node| node.name.len()).min(4))
}

fn renamed(text: &str) -> Result<bool, String> {
    let mut tailnet = Tailnet::begun()?;
    tailnet.join(1, Arc::default())?;
    let id = NodeId::FIRST;
    let mut draft = Draft::new(&tailnet.world);
    let renamed = draft.step(&Command::RenameNode { id, name: text.to_owned() }, context(tailnet.now));
    let name = draft.world.nodes.get(id).map(|node| node.name.clone()).unwrap_or_default();
    law(is_label(&name), || format!("{text:?} is the node's name now"))?;
    Ok(renamed.is_ok())
}

fn person(text: &str) -> Result<bool, String> {
    let tailnet = Tailnet::begun()?;
    let mut draft = Draft::new(&tailnet.world);
    let wish = Command::CreateUser { login: text.to_owned(), display_name: text.to_owned() };
    let made = draft.step(&wish, context(tailnet.now)).is_ok();
    // A policy matches people in any letter case, so there must not be two whom it cannot tell apart.
    for login in [text.to_owned(), text.to_lowercase(), text.to_uppercase()] {
        let wish = Command::CreateUser { login, display_name: "another".to_owned() };
        let again = draft.step(&wish, context(tailnet.now)).is_ok();
        law(!(made && again), || format!("{text:?} exists twice"))?;
    }
    draft.world.check_invariants()?;
    Ok(made)
}

/// A DNS label in lower case.
fn is_label(name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (1..=63).contains(&name.len()) && plain && !name.starts_with('-') && !name.ends_with('-')
}
