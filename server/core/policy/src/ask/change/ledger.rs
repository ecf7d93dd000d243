//! Who has what to whom, by cause.

use std::collections::BTreeMap;

use super::beyond::New;
use crate::ask::{
    party::Party,
    shift::{Shift, Whose},
    source::Lines,
    stage::Stage,
};

/// Why something is gained or lost, and what.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cause<'a> {
    new: New<'a>,
    foretold: bool,
    whose: Whose,
}

/// Sources and destinations by cause.
#[derive(Default)]
pub(super) struct Ledger<'a>(BTreeMap<Cause<'a>, BTreeMap<u32, Vec<u32>>>);

impl<'a> Ledger<'a> {
    pub(super) fn note(&mut self, new: New<'a>, foretold: bool, whose: Whose, from: u32, to: u32) {
        let cause = Cause { new, foretold, whose };
        self.0.entry(cause).or_default().entry(from).or_default().push(to);
    }

    /// Sources with the same destinations are told together.
    pub(super) fn conclude(self, stage: &Stage, lines: &Lines) -> Vec<Shift> {
        let mut shifts = Vec::new();
        for (cause, by_source) in self.0 {
            let mut together: BTreeMap<Vec<u32>, Vec<u32>> = BTreeMap::new();
            for (from, mut to) in by_source {
                to.sort_unstable();
                to.dedup();
                together.entry(to).or_default().push(from);
            }
            let (line, rule) = lines.find(cause.new.place);
            for (to, from) in together {
                shifts.push(shift(stage, &cause, &from, &to, (line, rule.clone())));
            }
        }
        shifts
    }
}

fn shift(
    stage: &Stage,
    cause: &Cause,
    from: &[u32],
    to: &[u32],
    (line, rule): (Option<u32>, String),
) -> Shift {
    let parties = |ids: &[u32]| ids.iter().filter_map(|id| stage.party(*id)).collect::<Vec<_>>();
    let (sources, destinations) = (parties(from), parties(to));
    let pairs = from.iter().flat_map(|a| to.iter().map(|b| stage.pairs(*a, *b, cause.whose))).sum();
    let devices = |parties: &[&Party]| parties.iter().flat_map(|p| p.devices.clone()).collect();
    Shift {
        kind: cause.new.kind,
        what: cause.new.what.clone(),
        from: stage.sides(from),
        to: stage.sides(to),
        pairs,
        foretold: cause.foretold,
        whose: cause.whose,
        line,
        rule,
        sources: devices(&sources),
        destinations: devices(&destinations),
        own: to.contains(&stage.own),
    }
}
