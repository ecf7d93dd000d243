//! A small tailnet with a policy in all of the language that is about the network.

use std::{
    fmt::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use policy::{Device, Person, Roster};

pub const NAMES: [&str; 5] = ["ada", "ben", "cyd", "dot", "eve"];
pub const TAGS: [&str; 3] = ["tag:a", "tag:b", "tag:c"];
/// Login, domain, role.
pub const PEOPLE: [(&str, &str, &[&str]); 3] = [
    ("alice", "example.com", &["admin"]),
    ("bob", "example.com", &["auditor", "network-admin"]),
    ("carol", "example.org", &[]),
];
pub const GROUPS: [(&str, &[usize]); 3] = [("group:x", &[0, 1]), ("group:y", &[2]), ("group:z", &[])];
pub const ROLES: [&str; 2] = ["admin", "network-admin"];
/// First and last addresses that rules name; the fourth is a host by name, the fifth is written as a range.
pub const LITERALS: [(&str, &str, &str); 7] = [
    ("10.0.0.0/8", "10.0.0.0", "10.255.255.255"),
    ("10.1.0.0/16", "10.1.0.0", "10.1.255.255"),
    ("100.64.0.2", "100.64.0.2", "100.64.0.2"),
    ("office", "192.168.1.0", "192.168.1.255"),
    ("10.1.2.3-10.2.0.7", "10.1.2.3", "10.2.0.7"),
    ("fd00:1::/64", "fd00:1::", "fd00:1::ffff:ffff:ffff:ffff"),
    ("100.64.0.3-100.64.0.4", "100.64.0.3", "100.64.0.4"),
];
/// `ipset:s`: its steps, and the spans that are left.
pub const SET: (&str, [(&str, &str); 3]) = (
    r#"["10.0.0.0/8", "remove 10.1.0.0/16", "add 100.64.0.5"]"#,
    [("10.0.0.0", "10.0.255.255"), ("10.2.0.0", "10.255.255.255"), ("100.64.0.5", "100.64.0.5")],
);
pub const ROUTES: [&str; 7] =
    ["10.0.0.0/8", "10.1.2.0/24", "10.2.0.0/16", "192.168.0.0/16", "fd00:1::/64", "0.0.0.0/0", "::/0"];
pub const PORTS: [(&str, &[(u16, u16)]); 4] = [
    ("*", &[(0, 65535)]),
    ("22", &[(22, 22)]),
    ("80-443", &[(80, 443)]),
    ("22,8080", &[(22, 22), (8080, 8080)]),
];
pub const CAPS: [&str; 2] = ["example.com/cap/x", "tailscale.com/cap/drive"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Any,
    Anywhere,
    Person(usize),
    Group(usize),
    Domain,
    Role(usize),
    Member,
    Tagged,
    Shared,
    Tag(usize),
    Literal(usize),
    Set,
    Own,
    Internet,
    Service,
}

/// An entry of `acls`, or of `grants`.
#[derive(Debug, Clone)]
pub struct Rule {
    pub from: Vec<Who>,
    pub to: Vec<Who>,
    /// Ports by place in [`PORTS`]; none grants an application only.
    pub ports: Option<usize>,
    pub tcp_only: bool,
    /// Written as a grant.
    pub grant: bool,
    pub via: Vec<usize>,
    pub cap: Option<usize>,
}

#[derive(Debug, Clone)]
pub struct Node {
    pub tags: Vec<usize>,
    pub owner: usize,
    pub routes: Vec<IpNet>,
}

#[derive(Debug, Clone)]
pub struct Tailnet {
    pub rules: Vec<Rule>,
    pub nodes: Vec<Node>,
}

impl Who {
    fn text(self) -> String {
        match self {
            Self::Any => "*".to_owned(),
            Self::Anywhere => "autogroup:danger-all".to_owned(),
            Self::Person(at) => format!("{}@{}", PEOPLE[at].0, PEOPLE[at].1),
            Self::Group(at) => GROUPS[at].0.to_owned(),
            Self::Domain => "user:*@example.com".to_owned(),
            Self::Role(at) => format!("autogroup:{}", ROLES[at]),
            Self::Member => "autogroup:member".to_owned(),
            Self::Tagged => "autogroup:tagged".to_owned(),
            Self::Shared => "autogroup:shared".to_owned(),
            Self::Tag(at) => TAGS[at].to_owned(),
            Self::Literal(at) => LITERALS[at].0.to_owned(),
            Self::Set => "ipset:s".to_owned(),
            Self::Own => "autogroup:self".to_owned(),
            Self::Internet => "autogroup:internet".to_owned(),
            Self::Service => "svc:web".to_owned(),
        }
    }
}

impl Tailnet {
    /// The policy, as somebody would write it.
    pub fn text(&self) -> String {
        let mut text = String::from("{\n  // generated\n  \"groups\": {");
        for (name, members) in GROUPS {
            let people: Vec<_> = members.iter().map(|at| Who::Person(*at).text()).collect();
            let _ = write!(text, "{name:?}: {people:?}, ");
        }
        let owners: Vec<_> = TAGS.iter().map(|tag| format!("{tag:?}: []")).collect();
        let _ = write!(
            text,
            "}},\n  \"hosts\": {{\"office\": \"192.168.1.0/24\"}},\n  \"ipsets\": {{\"ipset:s\": {}}},",
            SET.0
        );
        let _ = write!(text, "\n  \"tagOwners\": {{{}}},", owners.join(", "));
        for (section, grants) in [("acls", false), ("grants", true)] {
            let _ = write!(text, "\n  {section:?}: [");
            for rule in self.rules.iter().filter(|rule| rule.grant == grants) {
                let _ = write!(text, "\n    {{{}}},", rule.text());
            }
            text.push_str("],");
        }
        text.push_str("\n}\n");
        text
    }

    pub fn roster(&self) -> Roster {
        let people = PEOPLE.iter().map(|(login, domain, roles)| Person {
            name: (*login).to_owned(),
            email: format!("{login}@{domain}"),
            roles: Some(roles.iter().map(|role| (*role).to_owned()).collect()),
        });
        let devices = self.nodes.iter().enumerate().map(|(at, node)| {
            let [v4, v6] = self.addresses(at);
            let (IpAddr::V4(v4), IpAddr::V6(v6)) = (v4, v6) else { unreachable!() };
            Device {
                traits: None,
                name: NAMES[at].to_owned(),
                host: NAMES[at].to_owned(),
                tags: node.tags.iter().map(|tag| TAGS[*tag].parse().unwrap()).collect(),
                owner: Some(node.owner),
                v4,
                v6,
                routes: node.routes.clone(),
            }
        });
        Roster { people: people.collect(), devices: devices.collect() }
    }

    pub fn addresses(&self, node: usize) -> [IpAddr; 2] {
        let number = node as u8 + 1;
        let v6 = Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, number.into());
        [Ipv4Addr::new(100, 64, 0, number).into(), v6.into()]
    }
}

impl Rule {
    fn text(&self) -> String {
        let from: Vec<_> = self.from.iter().map(|who| who.text()).collect();
        let ports = self.ports.map(|at| PORTS[at].0);
        if !self.grant {
            let to: Vec<_> =
                self.to.iter().map(|who| format!("{}:{}", who.text(), ports.unwrap_or("*"))).collect();
            let proto = if self.tcp_only { ", \"proto\": \"tcp\"" } else { "" };
            return format!("\"action\": \"accept\", \"src\": {from:?}, \"dst\": {to:?}{proto}");
        }
        let to: Vec<_> = self.to.iter().map(|who| who.text()).collect();
        let mut text = format!("\"src\": {from:?}, \"dst\": {to:?}");
        if let Some(ports) = ports {
            let proto = if self.tcp_only { "tcp:" } else { "" };
            let _ = write!(text, ", \"ip\": [\"{proto}{ports}\"]");
        }
        if let Some(cap) = self.cap {
            let _ = write!(text, ", \"app\": {{{:?}: [{{}}]}}", CAPS[cap]);
        }
        if !self.via.is_empty() {
            let tags: Vec<_> = self.via.iter().map(|tag| TAGS[*tag]).collect();
            let _ = write!(text, ", \"via\": {tags:?}");
        }
        text
    }
}
