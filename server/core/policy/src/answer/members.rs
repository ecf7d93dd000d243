//! From an alias to the devices and addresses it means.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;

use crate::{
    Device, SourceRange,
    alias::Alias,
    answer::Tailnet,
    source::{
        self,
        span::{self, Span},
    },
};

impl Tailnet<'_> {
    /// Whether the alias means the device by who it is.
    pub(crate) fn names(&self, alias: &Alias, device: &Device) -> bool {
        let person = device.person().and_then(|at| Some((at, self.roster.people.get(at)?)));
        match alias {
            Alias::User(login) => person.is_some_and(|(_, person)| person.is(login)),
            Alias::Group(group) => person.is_some_and(|(_, person)| {
                let members = self.policy.groups.get(group);
                members.is_some_and(|logins| logins.iter().any(|login| person.is(login)))
            }),
            Alias::Domain(domain) => {
                person.and_then(|(_, person)| person.mailbox()).is_some_and(|(_, own)| own == domain)
            }
            Alias::Role(role) => person.is_some_and(|(at, person)| match &person.roles {
                Some(roles) => roles.iter().any(|own| own == role),
                None => *role == "admin" || (*role == "owner" && at == 0),
            }),
            Alias::With(alias, guard) => {
                guard.holds(device.traits.as_ref()) && (**alias == Alias::Any || self.names(alias, device))
            }
            Alias::Tag(tag) => device.tags.contains(tag),
            Alias::Member => person.is_some(),
            Alias::Tagged => !device.tags.is_empty(),
            Alias::Any | Alias::Anywhere | Alias::Prefix(_) | Alias::Range(..) | Alias::Set(_) => false,
            Alias::Internet | Alias::Own | Alias::Service(_) | Alias::Shared => false,
        }
    }

    /// Whether the alias means the device, by who it is or by an address in the mesh.
    pub(crate) fn means(&self, alias: &Alias, device: &Device) -> bool {
        let by_address = || {
            let spans = literals(alias);
            device.addresses().iter().any(|own| spans.iter().any(|span| span::meet(span, &span::one(*own))))
        };
        self.names(alias, device) || matches!(alias, Alias::Any) || by_address()
    }

    /// The addresses of an alias as a filter writes them.
    pub(crate) fn texts(&self, alias: &Alias) -> BTreeSet<String> {
        let text = |range: SourceRange| range.to_string();
        match alias {
            Alias::Any => {
                let subnets = self.roster.devices.iter().flat_map(Device::subnets);
                let subnets = subnets.map(|net| text(SourceRange::Prefix(*net)));
                source::everyone().into_iter().map(text).chain(subnets).collect()
            }
            Alias::Anywhere => BTreeSet::from(["*".to_owned()]),
            Alias::Range(first, last) => BTreeSet::from([text(SourceRange::Span(*first, *last))]),
            Alias::Prefix(net) => BTreeSet::from([text(SourceRange::Prefix(*net))]),
            Alias::Set(nets) => nets.iter().map(|net| text(SourceRange::Prefix(*net))).collect(),
            _ => self.members(alias).flat_map(|device| device.addresses().map(|a| a.to_string())).collect(),
        }
    }

    /// The addresses of an alias.
    pub(crate) fn spans(&self, alias: &Alias) -> Vec<Span> {
        match alias {
            Alias::Any => {
                let mesh = source::everyone().into_iter().map(|range| match range {
                    SourceRange::Prefix(net) => span::of(&net),
                    SourceRange::Span(first, last) => (first, last),
                });
                mesh.chain(self.roster.devices.iter().flat_map(Device::subnets).map(span::of)).collect()
            }
            Alias::Anywhere | Alias::Prefix(_) | Alias::Range(..) | Alias::Set(_) => literals(alias),
            _ => self.members(alias).flat_map(Device::addresses).map(span::one).collect(),
        }
    }

    fn members(&self, alias: &Alias) -> impl Iterator<Item = &Device> {
        self.roster.devices.iter().filter(move |device| self.names(alias, device))
    }
}

/// Addresses that the alias names itself.
pub(crate) fn literals(alias: &Alias) -> Vec<Span> {
    match alias {
        Alias::Prefix(net) => vec![span::of(net)],
        Alias::Range(first, last) => vec![(*first, *last)],
        Alias::Set(nets) => nets.iter().map(span::of).collect(),
        Alias::Anywhere => everything().to_vec(),
        _ => Vec::new(),
    }
}

/// Every address of both families.
pub(crate) fn everything() -> [Span; 2] {
    [
        (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::BROADCAST)),
        (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::from(u128::MAX))),
    ]
}

/// Whether some address of the alias lies within the prefix; `*` and the internet are everywhere.
pub(crate) fn overlaps(alias: &Alias, net: &IpNet) -> bool {
    matches!(alias, Alias::Any) || literals(alias).iter().any(|span| span::meet(span, &span::of(net)))
}
