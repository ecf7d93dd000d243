//! A page: prose with fenced blocks. A `hujson` block begins a scene; `nodes` and `people` hold for the scenes that
//! follow them.

use std::net::{Ipv4Addr, Ipv6Addr};

use ident::Tag;
use ipnet::IpNet;
use policy::{Subject, Traits};

/// Who plays a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The compiled rules of a running server, where it takes the policy, and the whole language.
    Both,
    /// `hujson server`
    Server,
    /// `hujson language`
    Language,
}

/// A policy, the nodes it applies to and what is expected.
pub struct Scene {
    pub line: usize,
    pub policy: String,
    pub reading: Reading,
    /// Logins with the roles of these people.
    pub people: Vec<(String, Vec<String>)>,
    pub nodes: Vec<Node>,
    pub expect: Vec<String>,
}

/// One line of a `nodes` block: name, tags or login, IPv4 address, approved routes, and what the client tells, such as
/// `os=linux`.
#[derive(Clone)]
pub struct Node {
    pub name: String,
    pub tags: Vec<Tag>,
    pub login: Option<String>,
    pub v4: Ipv4Addr,
    pub routes: Vec<IpNet>,
    pub traits: Option<Traits>,
}

impl Node {
    pub fn subject(&self) -> Subject<'_> {
        let [_, _, c, d] = self.v4.octets();
        let v6 = Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, u16::from_be_bytes([c, d]));
        Subject {
            tags: &self.tags,
            login: self.login.as_deref(),
            v4: self.v4,
            v6,
            routes: &self.routes,
            traits: self.traits.as_ref(),
        }
    }
}

pub fn scenes(page: &str) -> Vec<Scene> {
    let mut scenes: Vec<Scene> = Vec::new();
    let (mut nodes, mut people) = (Vec::new(), Vec::new());
    for (line, kind, body) in blocks(page) {
        match kind.as_str() {
            "hujson" | "hujson server" | "hujson language" => {
                let reading = match kind.as_str() {
                    "hujson" => Reading::Both,
                    "hujson server" => Reading::Server,
                    _ => Reading::Language,
                };
                let (people, nodes, expect) = (Vec::new(), Vec::new(), Vec::new());
                scenes.push(Scene { line, policy: body, reading, people, nodes, expect });
            }
            "people" => people = body.lines().filter(|line| !line.trim().is_empty()).map(person).collect(),
            "nodes" => nodes = body.lines().filter(|line| !line.trim().is_empty()).map(node).collect(),
            "expect" => {
                let scene = scenes.last_mut().expect("a policy before what it gives");
                (scene.nodes, scene.people) = (nodes.clone(), people.clone());
                scene.expect.extend(body.lines().map(str::to_owned).filter(|line| !line.trim().is_empty()));
            }
            other => panic!("line {line}: a block of kind {other:?}"),
        }
    }
    scenes
}

fn blocks(page: &str) -> Vec<(usize, String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for (number, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(kind), None) => open = Some((number + 1, kind.trim().to_owned(), String::new())),
            (None, Some((_, _, body))) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

fn person(line: &str) -> (String, Vec<String>) {
    let mut words = line.split_whitespace().map(str::to_owned);
    (words.next().unwrap(), words.collect())
}

fn node(line: &str) -> Node {
    let mut words = line.split_whitespace();
    let (name, who, v4) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    let tagged = who.starts_with("tag:");
    let (told, routes): (Vec<_>, Vec<_>) = words.partition(|word| word.contains('='));
    Node {
        name: name.to_owned(),
        tags: if tagged { who.split(',').map(|tag| tag.parse().unwrap()).collect() } else { Vec::new() },
        login: (!tagged && who != "-").then(|| who.to_owned()),
        v4: v4.parse().unwrap(),
        routes: routes.iter().map(|route| route.parse().unwrap()).collect(),
        traits: (!told.is_empty()).then(|| traits(&told)),
    }
}

fn traits(told: &[&str]) -> Traits {
    let mut traits = Traits::default();
    for word in told {
        let (key, value) = word.split_once('=').unwrap();
        match key {
            "host" => traits.host = value.to_owned(),
            "os" => traits.os = value.to_owned(),
            "osVersion" => traits.os_version = value.to_owned(),
            "version" => traits.version = value.to_owned(),
            "autoUpdate" => traits.auto_update = Some(value.parse().unwrap()),
            "stateEncrypted" => traits.state_encrypted = Some(value.parse().unwrap()),
            other => panic!("no client tells {other:?}"),
        }
    }
    traits
}
