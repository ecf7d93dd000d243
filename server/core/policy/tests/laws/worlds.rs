//! Small random worlds: a few names, so that rules and nodes meet often.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ident::Tag;
use ipnet::IpNet;
use policy::{Subject, Traits};
use proptest::{prelude::*, sample::select};

pub const USERS: [(&str, &str); 3] =
    [("alice", "alice@"), ("bob@example.com", "Bob@example.com"), ("carol", "carol@")];
pub const TAGS: [&str; 3] = ["tag:a", "tag:b", "tag:c"];
/// The third is empty.
pub const GROUPS: [(&str, &[usize]); 3] = [("group:x", &[0, 1]), ("group:y", &[1]), ("group:z", &[])];
/// Literals of rules; the fifth is written as a host.
const NETS: [&str; 8] = [
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.3/32",
    "192.168.1.0/24",
    "172.16.0.0/24",
    "100.64.0.0/30",
    "fd7a:115c:a1e0::2/128",
    "0.0.0.0/0",
];
const ROUTES: [&str; 8] = [
    "10.0.0.0/8",
    "10.1.2.0/24",
    "10.1.2.3/32",
    "10.2.0.0/16",
    "192.168.0.0/16",
    "fd00:1::/64",
    "0.0.0.0/0",
    "::/0",
];
/// Ranges of addresses and sets of networks, and the prefixes that they are.
const WRITTEN: [(&str, &[&str]); 4] = [
    ("10.1.2.0-10.1.3.255", &["10.1.2.0/23"]),
    ("100.64.0.2-100.64.0.4", &["100.64.0.2/31", "100.64.0.4/32"]),
    ("ipset:some", &["10.1.0.0/23", "10.1.3.0/24", "192.168.1.0/24"]),
    ("autogroup:danger-all", &["0.0.0.0/0", "::/0"]),
];
const PORTS: [&str; 4] = ["*", "22", "80-443", "22,8080"];
/// Postures by name: the systems and the oldest second number of the client's version that they let pass.
pub const POSTURES: [(&str, &[&str], u8); 2] =
    [("posture:free", &["linux", "freebsd"], 0), ("posture:new", &["linux", "macos"], 80)];
const PROTOCOLS: [(&str, i32); 2] = [("tcp", 6), ("icmp", 1)];

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Who {
    Any,
    User(usize),
    Group(usize),
    Tag(usize),
    Net(usize),
    Written(usize),
    /// Everybody of example.com.
    Domain,
    Member,
    Tagged,
    Internet,
    /// The sender's other devices.
    Own,
}

#[derive(Debug, Clone)]
pub struct Rule {
    pub from: Vec<Who>,
    pub to: Vec<(Who, usize)>,
    pub protocol: Option<usize>,
    /// A tag of the routers that may carry it.
    pub via: Option<usize>,
    /// One of these is demanded of its sources.
    pub postures: Vec<usize>,
}

#[derive(Debug, Clone)]
pub struct Node {
    pub tags: Vec<Tag>,
    pub user: Option<usize>,
    pub v4: Ipv4Addr,
    pub v6: Ipv6Addr,
    pub routes: Vec<IpNet>,
    /// System and second number of the client's version, where something is known.
    pub like: Option<(&'static str, u8)>,
    pub traits: Option<Traits>,
}

#[derive(Debug, Clone)]
pub struct World {
    pub rules: Vec<Rule>,
    pub nodes: Vec<Node>,
}

impl Who {
    /// The networks that it stands for; none for who is named otherwise.
    pub fn nets(self) -> Option<Vec<IpNet>> {
        match self {
            Self::Net(at) => Some(vec![NETS[at].parse().unwrap()]),
            Self::Written(at) => Some(WRITTEN[at].1.iter().map(|net| net.parse().unwrap()).collect()),
            _ => None,
        }
    }

    fn is_person(self) -> bool {
        matches!(self, Self::User(_) | Self::Group(_) | Self::Domain | Self::Member | Self::Any)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "*",
            Self::User(at) => USERS[*at].1,
            Self::Group(at) => GROUPS[*at].0,
            Self::Tag(at) => TAGS[*at],
            Self::Net(4) => "office",
            Self::Net(at) => NETS[*at],
            Self::Written(at) => WRITTEN[*at].0,
            Self::Domain => "user:*@example.com",
            Self::Own => "autogroup:self",
            Self::Member => "autogroup:member",
            Self::Tagged => "autogroup:tagged",
            Self::Internet => "autogroup:internet",
        })
    }
}

impl Rule {
    pub fn ports(&self, destination: usize) -> Vec<(u16, u16)> {
        let number = |text: &str| text.parse::<u16>().unwrap();
        let range = |text: &str| match text.split_once('-') {
            _ if text == "*" => (0, u16::MAX),
            Some((first, last)) => (number(first), number(last)),
            None => (number(text), number(text)),
        };
        PORTS[self.to[destination].1].split(',').map(range).collect()
    }

    pub fn protocols(&self) -> Vec<i32> {
        self.protocol.map_or(vec![6, 17, 1, 58], |at| vec![PROTOCOLS[at].1])
    }
}

const SETS: &str = r#""ipset:some": ["10.1.0.0/22", "remove 10.1.2.0/24", "192.168.1.0/24"]"#;

impl Rule {
    fn posture(&self) -> String {
        let names: Vec<_> = self.postures.iter().map(|at| POSTURES[*at].0).collect();
        if names.is_empty() { String::new() } else { format!(", \"srcPosture\": {names:?}") }
    }

    /// The rule as grants, one for each destination, since these may have different ports.
    fn as_grants(&self, quoted: &impl Fn(Vec<String>) -> String) -> String {
        let from = quoted(self.from.iter().map(Who::to_string).collect());
        let via = self.via.map_or("", |at| TAGS[at]);
        let posture = self.posture();
        let grants = self.to.iter().map(|(who, ports)| {
            let ports = PORTS[*ports].split(',').map(|ports| match self.protocol {
                Some(at) => format!("{}:{ports}", PROTOCOLS[at].0),
                None => ports.to_owned(),
            });
            let ip = quoted(ports.collect());
            format!(
                "    {{\"src\": [{from}], \"dst\": [\"{who}\"], \"ip\": [{ip}], \"via\": [\"{via}\"]{posture}}},\n"
            )
        });
        grants.collect()
    }
}

impl Node {
    pub fn subject(&self) -> Subject<'_> {
        let login = self.user.map(|at| USERS[at].0);
        Subject {
            tags: &self.tags,
            login,
            v4: self.v4,
            v6: self.v6,
            routes: &self.routes,
            traits: self.traits.as_ref(),
        }
    }

    pub fn is_of_same_person(&self, other: &Self) -> bool {
        let owner = |node: &Self| node.user.filter(|_| node.tags.is_empty());
        owner(self).is_some() && owner(self) == owner(other)
    }

    pub fn addresses(&self) -> [IpAddr; 2] {
        [self.v4.into(), self.v6.into()]
    }
}

impl World {
    /// The policy, as somebody would write it.
    pub fn text(&self) -> String {
        let quoted =
            |names: Vec<String>| names.iter().map(|n| format!("{n:?}")).collect::<Vec<_>>().join(", ");
        let groups = GROUPS.map(|(name, members)| {
            format!("{name:?}: [{}]", quoted(members.iter().map(|at| USERS[*at].1.to_owned()).collect()))
        });
        let tags = TAGS.map(|tag| format!("{tag:?}: []"));
        let (routed, plain): (Vec<_>, Vec<_>) = self.rules.iter().partition(|rule| rule.via.is_some());
        let grants = routed.into_iter().map(|rule| rule.as_grants(&quoted)).collect::<String>();
        let rules = plain.into_iter().map(|rule| {
            let from = quoted(rule.from.iter().map(Who::to_string).collect());
            let to = quoted(rule.to.iter().map(|(who, ports)| format!("{who}:{}", PORTS[*ports])).collect());
            let proto =
                rule.protocol.map_or(String::new(), |at| format!(", \"proto\": {:?}", PROTOCOLS[at].0));
            format!(
                "    {{\"action\": \"accept\", \"src\": [{from}], \"dst\": [{to}]{proto}{}}}, // a rule\n",
                rule.posture()
            )
        });
        let postures = POSTURES.map(|(name, systems, minor)| {
            let systems = systems.iter().map(|os| format!("'{os}'")).collect::<Vec<_>>().join(", ");
            format!("{name:?}: [\"node:os IN [{systems}]\", \"node:tsVersion >= '1.{minor}'\"]")
        });
        format!(
            "{{\n  \"groups\": {{{}}},\n  \"hosts\": {{\"office\": {:?}}},\n  \"tagOwners\": {{{}}},\n  \"ipsets\": {{{SETS}}},\n  \"postures\": {{{}}},\n  \"acls\": [\n{}  ],\n  \"grants\": [\n{grants}  ],\n}}\n",
            groups.join(", "),
            NETS[4],
            tags.join(", "),
            postures.join(", "),
            rules.collect::<String>(),
        )
    }

    /// Whether a rule names one of the node's addresses by a literal.
    pub fn names_address_of(&self, node: &Node) -> bool {
        let named =
            self.rules.iter().flat_map(|rule| rule.from.iter().chain(rule.to.iter().map(|(who, _)| who)));
        named
            .filter_map(|who| who.nets())
            .flatten()
            .any(|net| node.addresses().iter().any(|address| net.contains(address)))
    }

    /// Every address that can make a difference: literals and routes begin there.
    pub fn points(&self) -> Vec<IpAddr> {
        let written = WRITTEN.iter().flat_map(|(_, nets)| *nets);
        let nets = NETS.iter().chain(&ROUTES).chain(written).map(|text| text.parse::<IpNet>().unwrap());
        nets.filter(|net| net.prefix_len() > 0).map(|net| net.addr()).collect()
    }
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        1 => Just(Who::Any),
        2 => (0..USERS.len()).prop_map(Who::User),
        2 => (0..GROUPS.len()).prop_map(Who::Group),
        3 => (0..TAGS.len()).prop_map(Who::Tag),
        4 => (0..NETS.len()).prop_map(Who::Net),
        1 => (0..WRITTEN.len() - 1).prop_map(Who::Written),
        1 => Just(Who::Domain),
        1 => Just(Who::Member),
        1 => Just(Who::Tagged),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let target = prop_oneof![8 => who(), 1 => Just(Who::Internet), 1 => Just(Who::Own)];
    let source = prop_oneof![20 => who(), 1 => Just(Who::Written(WRITTEN.len() - 1))];
    let to = proptest::collection::vec((target, 0..PORTS.len()), 0..3);
    let protocol = proptest::option::weighted(0.3, 0..PROTOCOLS.len());
    let via = proptest::option::weighted(0.2, 0..TAGS.len());
    let postures =
        prop_oneof![2 => Just(vec![]), 1 => proptest::sample::subsequence(vec![0, 1], 1..=POSTURES.len())];
    let parts = (proptest::collection::vec(source, 0..3), to, protocol, via, postures);
    parts.prop_map(|(from, mut to, protocol, via, postures)| {
        if protocol == Some(1) {
            to.iter_mut().for_each(|destination| destination.1 = 0);
        }
        if !from.iter().all(|who| who.is_person()) || via.is_some() {
            to.retain(|(who, _)| *who != Who::Own);
        }
        if via.is_some() {
            // Grants do not take a whole family, and what they mean by `*` with `via` is nothing at all.
            to.retain(|(who, _)| *who != Who::Any && *who != Who::Net(NETS.len() - 1));
        }
        Rule { from, to, protocol, via, postures }
    })
}

type Like = Option<(&'static str, u8)>;

fn node() -> impl Strategy<Value = (Vec<Tag>, Option<usize>, Vec<IpNet>, Like)> {
    let tags = prop_oneof![Just(vec![]), proptest::sample::subsequence(TAGS.to_vec(), 1..=2)];
    let user = proptest::option::of(0..USERS.len());
    let routes =
        prop_oneof![2 => Just(vec![]), 1 => proptest::collection::vec(select(ROUTES.to_vec()), 0..3)];
    let like =
        proptest::option::of((select(vec!["linux", "macos", "freebsd", ""]), select(vec![9, 80, 100])));
    (tags, user, routes, like).prop_map(|(tags, user, routes, like)| {
        let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        (tags, user, routes.iter().map(|route| route.parse().unwrap()).collect(), like)
    })
}

pub fn world() -> impl Strategy<Value = World> {
    let rules = proptest::collection::vec(rule(), 0..4);
    (rules, proptest::collection::vec(node(), 2..5)).prop_map(|(rules, nodes)| {
        let numbered = nodes.into_iter().zip(2u8..);
        let nodes = numbered.map(|((tags, user, routes, like), number)| {
            let v6 = Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, number.into());
            let traits = like.map(|(os, minor)| Traits {
                os: os.to_owned(),
                version: format!("1.{minor}.3-t0"),
                ..Traits::default()
            });
            Node { tags, user, v4: Ipv4Addr::new(100, 64, 0, number), v6, routes, like, traits }
        });
        World { rules, nodes: nodes.collect() }
    })
}
