//! Which aliases mean a device, looked up instead of tried one by one.

use std::{collections::BTreeMap, net::IpAddr};

use ident::Tag;

use crate::{
    Person, Traits,
    alias::Alias,
    answer::members::literals,
    policy::Content,
    posture::Guard,
    source::span::{self, Span},
};

/// Most tags or groups that name a device.
const MOST_NAMES: usize = 4;

/// The aliases of one or two policies by number, each policy's groups for themselves.
#[derive(Default)]
pub(crate) struct Glossary<'a> {
    ids: BTreeMap<(&'a Alias, usize), u32>,
    users: BTreeMap<&'a str, Vec<u32>>,
    domains: BTreeMap<&'a str, u32>,
    roles: BTreeMap<&'a str, u32>,
    tags: BTreeMap<&'a Tag, u32>,
    groups: BTreeMap<u32, &'a str>,
    logins: BTreeMap<u32, &'a str>,
    single: BTreeMap<IpAddr, Vec<u32>>,
    wide: Vec<(u32, Vec<Span>)>,
    any: Option<u32>,
    member: Option<u32>,
    tagged: Option<u32>,
    /// Those that demand a posture, and the aliases without it.
    guarded: Vec<Guarded<'a>>,
}

struct Guarded<'a> {
    id: u32,
    inner: u32,
    guard: &'a Guard,
}

/// What a device is like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Like<'t> {
    Known(Option<&'t Traits>),
    /// One that is imagined, of all postures.
    All,
    /// One that is imagined, of none but what this one demands.
    Only(&'t Guard),
}

impl Like<'_> {
    fn passes(self, guard: &Guard) -> bool {
        match self {
            Self::Known(traits) => guard.holds(traits),
            Self::All => true,
            Self::Only(one) => one == guard,
        }
    }
}

/// Groups are those of one policy.
fn by_policy(alias: &Alias, which: usize) -> usize {
    match alias {
        Alias::Group(_) => which,
        Alias::With(alias, _) => by_policy(alias, which),
        _ => 0,
    }
}

impl<'a> Glossary<'a> {
    pub(crate) fn add(&mut self, alias: &'a Alias, which: usize, policy: &'a Content) {
        let inner = match alias {
            Alias::With(inner, guard) => {
                self.add(inner, which, policy);
                self.id(inner, which).map(|id| (id, guard))
            }
            _ => None,
        };
        let which = by_policy(alias, which);
        let next = self.ids.len() as u32;
        let id = *self.ids.entry((alias, which)).or_insert(next);
        if id != next {
            return;
        }
        match alias {
            Alias::Any => self.any = Some(id),
            Alias::Member => self.member = Some(id),
            Alias::Tagged => self.tagged = Some(id),
            Alias::Tag(tag) => _ = self.tags.insert(tag, id),
            Alias::Domain(domain) => _ = self.domains.insert(domain, id),
            Alias::Role(role) => _ = self.roles.insert(role, id),
            Alias::User(login) => {
                self.users.entry(login).or_default().push(id);
                self.logins.insert(id, login);
            }
            Alias::Group(group) => {
                self.groups.insert(id, group);
                for login in policy.groups.get(group).into_iter().flatten() {
                    self.users.entry(login).or_default().push(id);
                }
            }
            Alias::Prefix(_) | Alias::Range(..) | Alias::Set(_) | Alias::Anywhere => {
                self.add_literal(alias, id)
            }
            Alias::With(..) => {
                let guarded = inner.map(|(inner, guard)| Guarded { id, inner, guard });
                self.guarded.extend(guarded);
            }
            Alias::Internet | Alias::Service(_) | Alias::Own | Alias::Shared => {}
        }
    }

    /// The kinds of devices that may be imagined: those without any posture, with one, with all of them.
    pub(crate) fn kinds(&self) -> Vec<Like<'a>> {
        let mut guards: Vec<&Guard> = self.guarded.iter().map(|guarded| guarded.guard).collect();
        guards.sort_unstable();
        guards.dedup();
        let all = (!guards.is_empty()).then_some(Like::All);
        let some = guards.iter().filter(|_| guards.len() > 1).map(|guard| Like::Only(guard));
        [Like::Known(None)].into_iter().chain(all).chain(some).collect()
    }

    fn add_literal(&mut self, alias: &Alias, id: u32) {
        match literals(alias)[..] {
            [(first, last)] if first == last => self.single.entry(first).or_default().push(id),
            ref spans => self.wide.push((id, spans.to_vec())),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// How many steps [`Self::of`] takes.
    pub(crate) fn cost(&self) -> usize {
        8 + self.wide.len() + self.guarded.len()
    }

    pub(crate) fn id(&self, alias: &Alias, which: usize) -> Option<u32> {
        let which = by_policy(alias, which);
        self.ids.get(&(alias, which)).copied()
    }

    /// The aliases that name addresses.
    pub(crate) fn literals(&self) -> impl Iterator<Item = (u32, Vec<Span>)> {
        let single =
            self.single.iter().flat_map(|(at, ids)| ids.iter().map(|id| (*id, vec![span::one(*at)])));
        single.chain(self.wide.iter().map(|(id, spans)| (*id, spans.clone())))
    }

    /// The aliases that mean a device, ascending. The owner comes with the place in the roster, as far as there is one.
    pub(crate) fn of(
        &self,
        tags: &[Tag],
        owner: Option<(&Person, Option<usize>)>,
        at: &[IpAddr],
        like: Like,
    ) -> Vec<u32> {
        let mut ids: Vec<u32> = tags.iter().filter_map(|tag| self.tags.get(tag)).copied().collect();
        ids.extend(self.any);
        if !tags.is_empty() {
            ids.extend(self.tagged);
        } else if let Some((person, place)) = owner {
            self.add_person(person, place, &mut ids);
        }
        for address in at {
            ids.extend(self.single.get(address).into_iter().flatten());
            let own = span::one(*address);
            let wide = self.wide.iter().filter(|(_, spans)| spans.iter().any(|span| span::meet(span, &own)));
            ids.extend(wide.map(|(id, _)| *id));
        }
        ids.sort_unstable();
        ids.dedup();
        let by_who = |id: &u32| ids.binary_search(id).is_ok();
        let guarded =
            self.guarded.iter().filter(|guarded| by_who(&guarded.inner) && like.passes(guarded.guard));
        let more: Vec<u32> = guarded.map(|guarded| guarded.id).collect();
        ids.extend(more);
        ids.sort_unstable();
        ids
    }

    fn add_person(&self, person: &Person, place: Option<usize>, ids: &mut Vec<u32>) {
        ids.extend(self.member);
        let names = [person.name.as_str(), person.email.as_str()];
        ids.extend(names.iter().filter_map(|name| self.users.get(name)).flatten());
        ids.extend(person.mailbox().and_then(|(_, domain)| self.domains.get(domain)));
        ids.extend(self.roles.iter().filter_map(|(role, id)| {
            let has = match &person.roles {
                Some(roles) => roles.iter().any(|own| own == role),
                None => *role == "admin" || (*role == "owner" && place == Some(0)),
            };
            has.then_some(*id)
        }));
    }

    /// The aliases that mean several devices by who they are, with their texts.
    pub(crate) fn words(&self) -> impl Iterator<Item = (u32, String)> {
        self.ids.iter().filter_map(|((alias, _), id)| {
            let text = match alias {
                Alias::Member => "autogroup:member".to_owned(),
                Alias::Tagged => "autogroup:tagged".to_owned(),
                Alias::Tag(tag) => tag.to_string(),
                Alias::Group(group) => group.clone(),
                Alias::Domain(domain) => format!("user:*@{domain}"),
                Alias::Role(role) => format!("autogroup:{role}"),
                Alias::User(login) if login.contains('@') => login.clone(),
                Alias::User(login) => format!("{login}@"),
                Alias::Any | Alias::Anywhere | Alias::Prefix(_) | Alias::Range(..) | Alias::Set(_) => {
                    return None;
                }
                Alias::Internet | Alias::Service(_) | Alias::Own | Alias::Shared => return None,
                Alias::With(..) => return None,
            };
            Some((*id, text))
        })
    }

    /// What to call a device: as narrowly as the policies do, and no more.
    pub(crate) fn name(&self, tags: &[Tag], owner: Option<&Person>, ids: &[u32]) -> String {
        let join = |texts: Vec<&str>| {
            let more = texts.len().saturating_sub(MOST_NAMES);
            let some = texts[..texts.len() - more].join("+");
            if more == 0 { some } else { format!("{some}+{more} more") }
        };
        if !tags.is_empty() {
            return join(tags.iter().map(Tag::as_str).collect());
        }
        let Some(person) = owner else { return "nobody's devices".to_owned() };
        if ids.iter().any(|id| self.logins.contains_key(id)) {
            return if person.name.contains('@') { person.name.clone() } else { format!("{}@", person.name) };
        }
        let mut groups: Vec<&str> = ids.iter().filter_map(|id| self.groups.get(id)).copied().collect();
        groups.sort_unstable();
        groups.dedup();
        let domain = person.mailbox().filter(|(_, domain)| self.domains.contains_key(domain));
        let role = self.roles.iter().find(|(_, id)| ids.contains(id));
        match (groups.is_empty(), role, domain) {
            (false, _, _) => join(groups),
            (true, Some((role, _)), _) => format!("autogroup:{role}"),
            (true, None, Some((_, domain))) => format!("user:*@{domain}"),
            (true, None, None) => "autogroup:member".to_owned(),
        }
    }
}
