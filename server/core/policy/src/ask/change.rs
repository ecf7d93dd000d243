//! Who gains and who loses what when one policy takes the place of another.

mod beyond;
mod ledger;
mod reach;

use std::collections::BTreeSet;

use ident::Tag;
use serde::Serialize;

use self::{
    beyond::{New, beyond},
    ledger::Ledger,
    reach::Reach,
};
use super::{
    Asked, TooLarge, Work,
    ruling::rulings,
    shift::{Shift, Whose},
    source::Lines,
    stage::Stage,
};
use crate::{Document, Roster};

/// Most pairs of parties that are looked at.
pub const MOST_PAIRS: usize = 250_000;

/// What changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What the newer policy gives and the older one does not.
    pub gained: Vec<Shift>,
    /// What the older policy gives and the newer one does not.
    pub lost: Vec<Shift>,
    /// Whether all was looked at; otherwise there may be more, of either kind.
    pub complete: bool,
}

impl Difference {
    /// What somebody who is known today gains.
    pub fn widens(&self) -> impl Iterator<Item = &Shift> {
        self.gained.iter().filter(|shift| !shift.foretold)
    }

    /// Whether nobody who is known today gains anything, as far as all was looked at.
    pub fn is_narrowing(&self) -> bool {
        self.complete && self.widens().next().is_none()
    }
}

impl Document {
    /// What changes when the newer policy takes the place of this one, for the devices and people of the roster, and for
    /// those that there might be: `kinds` are the sets of tags that a device can get.
    pub fn difference(
        &self,
        newer: &Document,
        roster: &Roster,
        kinds: &[Vec<Tag>],
    ) -> Result<Difference, TooLarge> {
        let mut work = Work::new();
        let (before, after) = (Asked::from(self), Asked::from(newer));
        let stage = Stage::set(&[before.content, after.content], roster, kinds, &mut work)?;
        let older = Reach::of(&stage, rulings(&stage, before.content, 0, &mut work)?);
        let newer = Reach::of(&stage, rulings(&stage, after.content, 1, &mut work)?);
        let (pairs, complete) = changed(&older, &newer, &mut work)?;
        let (mut gains, mut losses) = (Ledger::default(), Ledger::default());
        for pair in pairs {
            Comparison { stage: &stage, base: &older, other: &newer, is_loss: false }
                .note(pair, &mut gains, &mut work)?;
            Comparison { stage: &stage, base: &newer, other: &older, is_loss: true }.note(
                pair,
                &mut losses,
                &mut work,
            )?;
        }
        let gained = gains.conclude(&stage, &Lines::of(after.text));
        Ok(Difference { gained, lost: losses.conclude(&stage, &Lines::of(before.text)), complete })
    }
}

/// What one policy opens and the other does not.
struct Comparison<'c, 'a> {
    stage: &'c Stage<'a>,
    base: &'c Reach<'a>,
    other: &'c Reach<'a>,
    is_loss: bool,
}

impl<'a> Comparison<'_, 'a> {
    fn note(&self, pair: (u32, u32), ledger: &mut Ledger<'a>, work: &mut Work) -> Result<(), TooLarge> {
        let (from, to) = pair;
        work.spend(self.base.count(from) + self.other.count(from))?;
        let foretold = [from, to].iter().any(|id| self.stage.party(*id).is_some_and(|party| party.foretold));
        for (to, whose, news) in self.news(from, to, work)? {
            news.into_iter().for_each(|new| ledger.note(new, foretold, whose, from, to));
        }
        Ok(())
    }

    /// What is new from the one to the other, and to whose devices there.
    fn news(&self, from: u32, to: u32, work: &mut Work) -> Result<Vec<(u32, Whose, Vec<New<'a>>)>, TooLarge> {
        if to == self.stage.own {
            return self.own_news(from, work);
        }
        let plain = self.between(from, to);
        let is_kin = self.stage.kin(from).binary_search(&to).is_ok();
        if !is_kin || !(self.base.reaches_own(from) || self.other.reaches_own(from)) {
            return Ok(vec![(to, Whose::Anybody, plain)]);
        }
        work.spend(self.base.count(from) + self.other.count(from))?;
        let kin = self.between_own(from, to, to);
        if self.stage.is_of_one_person(from, to) || plain == kin {
            return Ok(vec![(to, Whose::Anybody, kin)]);
        }
        Ok(vec![(to, Whose::Others, plain), (to, Whose::Own, kin)])
    }

    /// In one word where it is the same wherever one's own devices are, by class where it is not.
    fn own_news(&self, from: u32, work: &mut Work) -> Result<Vec<(u32, Whose, Vec<New<'a>>)>, TooLarge> {
        let own = self.stage.own;
        let kin = self.stage.kin(from);
        work.spend(kin.len() * (self.base.count(from) + self.other.count(from)))?;
        let news: Vec<_> = kin.iter().map(|to| (*to, Whose::Own, self.between_own(from, *to, own))).collect();
        match &news[..] {
            [first, rest @ ..] if rest.iter().all(|(_, _, new)| *new == first.2) => {
                Ok(vec![(own, Whose::Anybody, first.2.clone())])
            }
            _ => Ok(news),
        }
    }

    fn between(&self, from: u32, to: u32) -> Vec<New<'a>> {
        let (base, other) = (self.base.on(from, to), self.other.on(from, to));
        beyond(&base, &other, &other, self.is_loss)
    }

    /// From the one to what the same people have in the other, by the rules that name either it or one's own.
    fn between_own(&self, from: u32, to: u32, named: u32) -> Vec<New<'a>> {
        let (base, other) = (self.base.on_own(from, to), self.other.on_own(from, to));
        beyond(&base, &other, &self.other.on(from, named), self.is_loss)
    }
}

/// The pairs between which some rule of only one policy opens something; and whether these are all.
fn changed(older: &Reach, newer: &Reach, work: &mut Work) -> Result<(BTreeSet<(u32, u32)>, bool), TooLarge> {
    let mut pairs = BTreeSet::new();
    for (these, those) in [(newer, older), (older, newer)] {
        for ruling in &these.rulings {
            work.spend(1 + those.rulings.len() / 16)?;
            if those.rulings.iter().any(|other| other.is_same(ruling)) {
                continue;
            }
            for from in &ruling.sources {
                work.spend(ruling.destinations.len())?;
                pairs.extend(ruling.destinations.iter().map(|to| (*from, *to)));
                if pairs.len() > MOST_PAIRS {
                    return Ok((pairs, false));
                }
            }
        }
    }
    Ok((pairs, true))
}
