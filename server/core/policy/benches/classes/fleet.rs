//! Fleets and policies of any size, each of a shape that costs in its own way.

use std::net::{Ipv4Addr, Ipv6Addr};

use ident::Tag;
use ipnet::{IpNet, Ipv4Net};
use policy::Subject;

/// Every shape.
pub const SHAPES: [Shape; 4] = [Shape::AllowAll, Shape::Roles, Shape::OwnDevices, Shape::Subnets];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Every rule is about everybody.
    AllowAll,
    /// Tags and groups reach tags; one node in five is a person's.
    Roles,
    /// Every person reaches the own devices, beside some roles.
    OwnDevices,
    /// Rules about networks; one node in ten is a router.
    Subnets,
}

impl Shape {
    pub fn name(self) -> &'static str {
        match self {
            Self::AllowAll => "allow-all",
            Self::Roles => "roles",
            Self::OwnDevices => "self",
            Self::Subnets => "subnets",
        }
    }
}

/// A device, in a form that a [`Subject`] can borrow from.
pub struct Member {
    pub tags: Vec<Tag>,
    login: Option<String>,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
    routes: Vec<IpNet>,
}

impl Member {
    pub fn subject(&self) -> Subject<'_> {
        let login = self.login.as_deref();
        Subject { tags: &self.tags, login, v4: self.v4, v6: self.v6, routes: &self.routes, traits: None }
    }
}

/// How many tags a policy of so many rules has, and how many groups.
fn names(rules: usize) -> (usize, usize) {
    (rules.clamp(8, 200), rules.clamp(4, 50))
}

/// A policy of the shape with so many rules.
pub fn policy(shape: Shape, rules: usize) -> String {
    let (tags, groups) = names(rules);
    let quoted = |list: Vec<String>| list.join(", ");
    let owners = quoted((0..tags).map(|n| format!("\"tag:t{n}\": []")).collect());
    let members = |group: usize| quoted((0..20).map(|n| format!("\"u{}@\"", group * 20 + n)).collect());
    let groups = quoted((0..groups).map(|n| format!("\"group:g{n}\": [{}]", members(n))).collect());
    let mut list: Vec<String> = (0..rules).map(|number| rule(shape, number, rules)).collect();
    if shape == Shape::OwnDevices {
        list[0] = accept("\"autogroup:member\"", "\"autogroup:self:*\"");
    }
    format!("{{\"groups\": {{{groups}}}, \"tagOwners\": {{{owners}}}, \"acls\": [\n{}\n]}}", list.join(",\n"))
}

fn rule(shape: Shape, number: usize, rules: usize) -> String {
    let (tags, groups) = names(rules);
    let tag = |n: usize| format!("\"tag:t{}\"", n % tags);
    let port = 1 + number;
    let to_tag = format!("\"tag:t{}:{port}\"", (number * 7 + 3) % tags);
    match shape {
        Shape::AllowAll => accept("\"*\"", &format!("\"*:{port}\"")),
        Shape::Subnets => accept(&tag(number), &format!("\"{}:{port}\"", network(number))),
        Shape::Roles | Shape::OwnDevices if number.is_multiple_of(4) => {
            accept(&format!("\"group:g{}\"", number / 4 % groups), &to_tag)
        }
        Shape::Roles | Shape::OwnDevices => accept(&tag(number), &to_tag),
    }
}

fn accept(from: &str, to: &str) -> String {
    format!("{{\"action\": \"accept\", \"src\": [{from}], \"dst\": [{to}]}}")
}

fn network(number: usize) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(10, (number / 256) as u8, number as u8, 0), 24)
}

/// So many devices for a policy of so many rules.
pub fn fleet(shape: Shape, rules: usize, nodes: usize) -> Vec<Member> {
    (0..nodes).map(|number| member(shape, rules, number)).collect()
}

/// The device of this number.
pub fn member(shape: Shape, rules: usize, number: usize) -> Member {
    let (tags, groups) = names(rules);
    let persons = match shape {
        Shape::AllowAll | Shape::Subnets => false,
        Shape::Roles => number.is_multiple_of(5),
        Shape::OwnDevices => !number.is_multiple_of(5),
    };
    let login = persons.then(|| format!("u{}", number / 5 % (groups * 20)));
    let tag: Option<Tag> = format!("tag:t{}", number % tags).parse().ok().filter(|_| !persons);
    let routes = (shape == Shape::Subnets && number.is_multiple_of(10))
        .then(|| network(number / 10 % rules.max(1)).into());
    Member {
        tags: tag.into_iter().collect(),
        login,
        v4: Ipv4Addr::from(0x6440_0001 + number as u32),
        v6: Ipv6Addr::from(0xfd7a_115c_a1e0_0000_0000_0000_0000_0001 + number as u128),
        routes: routes.into_iter().collect(),
    }
}

/// A device with two tags, which no device of the fleet has: a class of its own, if rules name the tags.
pub fn mixed(rules: usize, number: usize) -> Member {
    let (tags, _) = names(rules);
    let tag = |n: usize| format!("tag:t{}", n % tags).parse::<Tag>().ok();
    let base = member(Shape::AllowAll, rules, number);
    Member { tags: [tag(number), tag(number + 1 + number / tags)].into_iter().flatten().collect(), ..base }
}
