//! What a set of tags would open: the answer that a new key is judged by.

use ident::Tag;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::{Compiled, alias::Alias, compiled::mask::has, compiled::signature::Draft};

/// What devices with some tags could do under the policy, before there is any.
/// A rule whose other side can match nothing (only empty groups) does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Rules that have the tags as a source.
    pub as_source: Vec<usize>,
    /// Rules that have the tags, or networks they may route without approval, as a destination, or the tags as routers.
    pub as_destination: Vec<usize>,
    /// Whether some route or the exit node of such a device is approved automatically.
    pub approves: bool,
    /// What is: prefixes, and `exit node`.
    pub approves_for: Vec<String>,
}

impl Access {
    /// Whether the tags open nothing: a key for them would make a device that reaches nobody and serves nobody.
    pub fn is_nothing(&self) -> bool {
        self.as_source.is_empty() && self.as_destination.is_empty() && !self.approves
    }
}

impl Compiled {
    /// What a device with these tags opens. No tags open nothing but what `*` does.
    pub fn opens(&self, tags: &[Tag]) -> Access {
        let draft = self.prospect(tags);
        let counts = |set: &[u64], other_side: fn(&crate::Rule) -> bool| {
            let rules = self.rules.iter().enumerate();
            rules.filter(|(rule, r)| has(set, *rule) && other_side(r)).map(|(rule, _)| rule).collect()
        };
        let mut approves_for: Vec<String> = self.approved(tags).map(|net| net.to_string()).collect();
        approves_for.extend(self.approves_exit(tags).then(|| "exit node".to_owned()));
        Access {
            as_source: counts(&draft.source, |rule| rule.has_destination),
            as_destination: counts(&draft.destination, |rule| rule.has_source),
            approves: !approves_for.is_empty(),
            approves_for,
        }
    }

    /// The signature that a device with these tags would have: wherever its addresses are, with every route that would be
    /// approved and every one for which a rule names the tags as its routers'.
    pub(crate) fn prospect(&self, tags: &[Tag]) -> Draft {
        let exits = [IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
        let exits = exits.into_iter().filter(|_| self.approves_exit(tags));
        let subnets = self.approved(tags).filter(|net| net.prefix_len() > 0);
        let mut draft = self.draft(self.tag_marks(tags), tags, &mesh(), subnets.chain(exits));
        for carried in self.index.carried_by(tags) {
            carried.rules.add_to(&mut draft.destination);
            carried.entries.add_to(&mut draft.entries);
        }
        draft
    }

    fn approved<'a>(&'a self, tags: &'a [Tag]) -> impl Iterator<Item = IpNet> + 'a {
        let approvers = self.content.approvers.iter();
        approvers.filter(|(_, aliases)| self.includes(aliases, tags)).map(|(net, _)| *net)
    }

    fn approves_exit(&self, tags: &[Tag]) -> bool {
        self.includes(&self.content.exit_approvers, tags)
    }

    fn includes(&self, aliases: &[Alias], tags: &[Tag]) -> bool {
        aliases.iter().any(|alias| self.content.covers(alias, tags, None))
    }
}

/// The networks that every node has its addresses in.
pub(crate) fn mesh() -> [IpNet; 2] {
    let v4 = IpNet::new_assert(std::net::Ipv4Addr::new(100, 64, 0, 0).into(), 10);
    let v6 = std::net::Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, 0);
    [v4, IpNet::new_assert(v6.into(), 48)]
}
