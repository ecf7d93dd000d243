//! Who or what a rule talks about: the alias forms of the language.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use ident::Tag;
use ipnet::IpNet;

use crate::{
    posture::{Assertion, Guard},
    source::span,
};

/// An alias with its text in the policy.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) alias: Alias,
    pub(crate) text: String,
}

/// An alias that is known to make sense where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alias {
    /// `*`
    Any,
    /// A login in lower case; `alice@` is `alice`.
    User(String),
    Group(String),
    Tag(Tag),
    /// An address, a prefix or a host.
    Prefix(IpNet),
    Member,
    Tagged,
    Internet,
    /// `user:*@example.com`: everybody of a domain, in lower case.
    Domain(String),
    /// From the first to the last address, both of one family.
    Range(IpAddr, IpAddr),
    /// What an `ipset:` name stands for.
    Set(Arc<[IpNet]>),
    /// `svc:` name of a service.
    Service(String),
    /// `autogroup:self`: devices of the person who asks.
    Own,
    /// `autogroup:danger-all`: every address there is.
    Anywhere,
    /// `autogroup:admin` and the other roles of people, without the prefix.
    Role(&'static str),
    /// `autogroup:shared`: people of other tailnets.
    Shared,
    /// The devices among those meant that have a posture; never by address.
    With(Box<Alias>, Guard),
}

/// The places of a policy where an alias may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Destination,
    Owner,
    Approver,
}

/// A mistake whose place the caller knows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// The names that aliases can refer to.
#[derive(Debug, Default)]
pub(crate) struct Names<'a> {
    pub(crate) groups: BTreeSet<&'a str>,
    /// By name; none where the address itself was a mistake.
    pub(crate) hosts: BTreeMap<&'a str, Option<IpNet>>,
    pub(crate) tags: BTreeSet<Tag>,
    /// By name, without the prefix `ipset:`.
    pub(crate) ipsets: BTreeMap<&'a str, Arc<[IpNet]>>,
    /// With the prefix `posture:`.
    pub(crate) postures: BTreeMap<String, Arc<[Assertion]>>,
    /// What every rule demands that names no posture.
    pub(crate) posture_by_default: Option<Guard>,
}

const ROLES: [&str; 6] = ["admin", "owner", "it-admin", "network-admin", "billing-admin", "auditor"];

impl Alias {
    /// Reads an alias, and refuses one that names nothing or has no meaning on this side.
    pub(crate) fn parse(text: &str, side: Side, names: &Names) -> Result<Self, Mistake> {
        let text = text.trim();
        if text == "autogroup:self" && side == Side::Source {
            return Err(misplaced(text, side));
        }
        let alias = Self::recognise(text, names)?;
        if alias.fits(side) { Ok(alias) } else { Err(misplaced(text, side)) }
    }

    /// For how many names and networks it stands where a rule is compiled.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Set(nets) => nets.len().max(1),
            Self::Range(first, last) => span::nets(&[(*first, *last)]).len(),
            _ => 1,
        }
    }

    fn fits(&self, side: Side) -> bool {
        match (self, side) {
            (Self::With(..), _) => side == Side::Source,
            (Self::Internet | Self::Own, _) => side == Side::Destination,
            (Self::Anywhere | Self::Shared, _) => side == Side::Source,
            (_, Side::Source | Side::Destination) => true,
            (Self::User(_) | Self::Group(_) | Self::Member | Self::Role(_) | Self::Domain(_), _) => true,
            (Self::Tag(_), _) => true,
            (Self::Tagged, _) => side == Side::Approver,
            (Self::Any | Self::Prefix(_) | Self::Range(..) | Self::Set(_) | Self::Service(_), _) => false,
        }
    }

    fn recognise(text: &str, names: &Names) -> Result<Self, Mistake> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.starts_with("tag:") {
            return tag(text, names);
        }
        if text.starts_with("group:") {
            return group(text, names);
        }
        if let Some(name) = text.strip_prefix("autogroup:") {
            return autogroup(text, name);
        }
        if let Some(name) = text.strip_prefix("ipset:") {
            let set = names.ipsets.get(name).cloned().map(Self::Set);
            return set.ok_or_else(|| Mistake {
                message: format!("ipset not found: {text:?}"),
                hint: nearest(name, names.ipsets.keys().copied()),
            });
        }
        if let Some(name) = text.strip_prefix("svc:") {
            return Ok(Self::Service(name.to_owned()));
        }
        if let Some(people) = text.strip_prefix("user:") {
            let domain = people.strip_prefix("*@").filter(|domain| !domain.is_empty());
            let wrong =
                || mistake(format!("{text:?}: invalid user"), "everybody of a domain is user:*@domain");
            return domain.map(|domain| Self::Domain(domain.to_lowercase())).ok_or_else(wrong);
        }
        if text.contains('@') {
            return login(text).map(Self::User);
        }
        address(text, names)
    }
}

/// The form in which logins are compared: lower case, `alice@` as `alice`.
pub(crate) fn login(text: &str) -> Result<String, Mistake> {
    let lower = text.to_lowercase();
    let (local, domain) = lower.split_once('@').unwrap_or((&lower, ""));
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '*' || c == '@';
    if local.is_empty() || local.contains(odd) || domain.contains(odd) || !text.contains('@') {
        return Err(mistake(format!("{text:?}: invalid user"), "a user is alice@example.com or alice@"));
    }
    Ok(if domain.is_empty() { local.to_owned() } else { lower })
}

/// An address or a prefix without host bits.
pub(crate) fn network(text: &str) -> Result<IpNet, Mistake> {
    let net = match text.parse::<std::net::IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => {
            text.parse().map_err(|_| Mistake { message: format!("{text:?}: invalid address"), hint: None })?
        }
    };
    if net.trunc() != net {
        let message = format!("{text:?}: the prefix has bits set behind its length");
        return Err(mistake(message, &format!("write {}", net.trunc())));
    }
    Ok(net)
}

pub(crate) fn mistake(message: String, hint: &str) -> Mistake {
    Mistake { message, hint: Some(hint.to_owned()) }
}

/// `did you mean X?` for the nearest of the right names, if one is near. Looks at 1,000 names of at most 64 bytes.
pub(crate) fn nearest<'a>(wrong: &str, right: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let wrong = Some(wrong.to_lowercase()).filter(|wrong| wrong.len() <= 64)?;
    let candidates = right.into_iter().take(1000).filter(|name| name.len() <= 64);
    let scored = candidates.map(|name| (strsim::damerau_levenshtein(&wrong, &name.to_lowercase()), name));
    let (distance, name) = scored.min()?;
    (distance <= 1 + name.len() / 4).then(|| format!("did you mean {name:?}?"))
}

fn tag(text: &str, names: &Names) -> Result<Alias, Mistake> {
    let known = text.parse::<Tag>().ok().filter(|tag| names.tags.contains(tag));
    known.map(Alias::Tag).ok_or_else(|| Mistake {
        message: format!("tag not found: {text:?}"),
        hint: nearest(text, names.tags.iter().map(Tag::as_str))
            .or_else(|| Some("name the tag in tagOwners first".to_owned())),
    })
}

fn group(text: &str, names: &Names) -> Result<Alias, Mistake> {
    if names.groups.contains(&text) {
        return Ok(Alias::Group(text.to_owned()));
    }
    let hint = nearest(text, names.groups.iter().copied());
    Err(Mistake { message: format!("group not found: {text:?}"), hint })
}

fn autogroup(text: &str, name: &str) -> Result<Alias, Mistake> {
    match name {
        "member" => Ok(Alias::Member),
        "tagged" => Ok(Alias::Tagged),
        "internet" => Ok(Alias::Internet),
        "self" => Ok(Alias::Own),
        "danger-all" => Ok(Alias::Anywhere),
        "shared" => Ok(Alias::Shared),
        _ => ROLES.into_iter().find(|role| *role == name).map(Alias::Role).ok_or_else(|| {
            let known = ["autogroup:member", "autogroup:tagged", "autogroup:internet", "autogroup:self"];
            Mistake { message: format!("{text:?}: unknown autogroup"), hint: nearest(text, known) }
        }),
    }
}

fn address(text: &str, names: &Names) -> Result<Alias, Mistake> {
    if let Some(host) = names.hosts.get(text) {
        // A host whose own address is wrong has been reported where it is defined.
        return Ok(Alias::Prefix(host.unwrap_or_default()));
    }
    let ends = text.split_once('-').and_then(|(first, last)| {
        Some((first.trim().parse::<IpAddr>().ok()?, last.trim().parse::<IpAddr>().ok()?))
    });
    if let Some((first, last)) = ends {
        let is_one = first.is_ipv4() == last.is_ipv4() && first <= last;
        let wrong = || mistake(format!("{text:?}: invalid range"), "write the lower address first");
        return is_one.then_some(Alias::Range(first, last)).ok_or_else(wrong);
    }
    network(text).map(Alias::Prefix).map_err(|mut mistake| {
        let hosts = || nearest(text, names.hosts.keys().copied());
        let users =
            || Some("a host must stand in hosts; a user is written with an @, such as alice@".to_owned());
        mistake.hint = mistake.hint.or_else(hosts).or_else(users);
        mistake
    })
}

fn misplaced(text: &str, side: Side) -> Mistake {
    if text == "autogroup:danger-all" && side == Side::Destination {
        return mistake(format!("cannot use {text} as a dst"), "write * for every device");
    }
    let (what, hint) = match side {
        Side::Source => ("not valid on the src side of a rule", "it has a meaning as a destination only"),
        Side::Destination => ("not valid on the dst side of a rule", "it has a meaning as a source only"),
        Side::Owner => ("cannot own a tag", "an owner is a user, a group, a tag or autogroup:member"),
        Side::Approver => {
            ("cannot be an approver", "name users, groups, tags, autogroup:member or autogroup:tagged")
        }
    };
    mistake(format!("{text:?} {what}"), hint)
}
