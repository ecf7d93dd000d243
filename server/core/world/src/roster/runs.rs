//! Addresses of many nodes as runs: neighbours are one, so that a newcomer costs what lies around it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::noun::Node;

/// First and last, as numbers within one family.
type Run = (u128, u128);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Runs {
    v4: Vec<Run>,
    v6: Vec<Run>,
}

impl Runs {
    pub(super) fn add(&mut self, node: &Node) {
        add(&mut self.v4, u32::from(node.v4).into());
        add(&mut self.v6, node.v6.into());
    }

    pub(super) fn remove(&mut self, node: &Node) {
        remove(&mut self.v4, u32::from(node.v4).into());
        remove(&mut self.v6, node.v6.into());
    }

    /// First and last of each run, IPv4 first, ascending; neither adjacent nor overlapping.
    pub(super) fn iter(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> {
        let v4 = |n: u128| IpAddr::from(Ipv4Addr::from(n as u32));
        let v6 = |n: u128| IpAddr::from(Ipv6Addr::from(n));
        let first = self.v4.iter().map(move |(first, last)| (v4(*first), v4(*last)));
        first.chain(self.v6.iter().map(move |(first, last)| (v6(*first), v6(*last))))
    }
}

fn add(runs: &mut Vec<Run>, n: u128) {
    let at = runs.partition_point(|(_, last)| *last < n);
    let touches_left = at.checked_sub(1).is_some_and(|left| runs.get(left).is_some_and(|run| run.1 + 1 == n));
    match (touches_left, runs.get(at).copied()) {
        (_, Some((first, _))) if first <= n => {}
        (true, Some((first, last))) if first == n + 1 => {
            runs.remove(at);
            set(runs, at - 1, |run| run.1 = last);
        }
        (true, _) => set(runs, at - 1, |run| run.1 = n),
        (false, Some((first, _))) if first == n + 1 => set(runs, at, |run| run.0 = n),
        (false, _) => runs.insert(at, (n, n)),
    }
}

fn remove(runs: &mut Vec<Run>, n: u128) {
    let at = runs.partition_point(|(_, last)| *last < n);
    let Some((first, last)) = runs.get(at).copied().filter(|(first, _)| *first <= n) else { return };
    match (first == n, last == n) {
        (true, true) => drop(runs.remove(at)),
        (true, false) => set(runs, at, |run| run.0 = n + 1),
        (false, true) => set(runs, at, |run| run.1 = n - 1),
        (false, false) => {
            set(runs, at, |run| run.1 = n - 1);
            runs.insert(at + 1, (n + 1, last));
        }
    }
}

fn set(runs: &mut [Run], at: usize, change: impl FnOnce(&mut Run)) {
    if let Some(run) = runs.get_mut(at) {
        change(run);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// The obvious way: all numbers, then neighbours together.
    fn slow(numbers: &BTreeSet<u128>) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for n in numbers {
            match runs.last_mut() {
                Some(run) if run.1 + 1 == *n => run.1 = *n,
                _ => runs.push((*n, *n)),
            }
        }
        runs
    }

    proptest! {
        #[test]
        fn whatever_comes_and_goes_the_runs_are_those_of_the_numbers(
            steps in prop::collection::vec((any::<bool>(), 1_u128..40), 0..200),
        ) {
            let (mut runs, mut numbers) = (Vec::new(), BTreeSet::new());
            for (comes, n) in steps {
                if comes {
                    add(&mut runs, n);
                    numbers.insert(n);
                } else {
                    remove(&mut runs, n);
                    numbers.remove(&n);
                }
                prop_assert_eq!(&runs, &slow(&numbers));
            }
        }
    }
}
