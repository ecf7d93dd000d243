//! Sets of rule numbers: sparse where they are kept per attribute, dense where they are combined.

/// A set of small numbers as (word, bits), ascending; costs only the words that have a bit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sparse(Vec<(u32, u64)>);

impl Sparse {
    pub(crate) fn insert(&mut self, bit: usize) {
        let (word, flag) = ((bit / 64) as u32, 1 << (bit % 64));
        match self.0.binary_search_by_key(&word, |entry| entry.0) {
            Ok(at) => self.0[at].1 |= flag,
            Err(at) => self.0.insert(at, (word, flag)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add_to(&self, words: &mut [u64]) {
        for &(word, bits) in &self.0 {
            if let Some(slot) = words.get_mut(word as usize) {
                *slot |= bits;
            }
        }
    }

    /// Whether some bit of this set is in the dense set.
    pub(crate) fn touches(&self, words: &[u64]) -> bool {
        self.meets(words, words)
    }

    /// The bits that are in the dense set too, ascending.
    pub(crate) fn common(&self, words: &[u64]) -> impl Iterator<Item = usize> {
        let both =
            |(word, bits): &(u32, u64)| (*word as usize, words.get(*word as usize).map_or(0, |w| w & bits));
        let each = |(word, bits): (usize, u64)| {
            (0..64).filter(move |at| bits >> at & 1 == 1).map(move |at| word * 64 + at)
        };
        self.0.iter().map(both).flat_map(each)
    }

    /// Whether some bit of this set is in both dense sets too.
    pub(crate) fn meets(&self, a: &[u64], b: &[u64]) -> bool {
        self.0.iter().any(|&(word, bits)| {
            let at = word as usize;
            let both = a.get(at).zip(b.get(at)).map_or(0, |(a, b)| a & b);
            both & bits != 0
        })
    }
}

/// How many words hold this many bits.
pub(crate) fn words(bits: usize) -> usize {
    bits.div_ceil(64)
}

pub(crate) fn has(words: &[u64], bit: usize) -> bool {
    words.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
}

/// Takes out what the other set does not have.
pub(crate) fn and(words: &mut [u64], other: &[u64]) {
    words.iter_mut().zip(other).for_each(|(word, other)| *word &= other);
}

/// Puts in what the other set has.
pub(crate) fn or(words: &mut [u64], other: &[u64]) {
    words.iter_mut().zip(other).for_each(|(word, other)| *word |= other);
}

/// Whether the two sets share a number. Looks at several words at once, which a processor does in one step.
pub(crate) fn meet(a: &[u64], b: &[u64]) -> bool {
    const AT_ONCE: usize = 16;
    let common = |(a, b): (&[u64], &[u64])| a.iter().zip(b).fold(0, |common, (a, b)| common | (a & b));
    a.chunks(AT_ONCE).zip(b.chunks(AT_ONCE)).any(|both| common(both) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn dense(bits: &BTreeSet<usize>) -> Vec<u64> {
        let mut sparse = Sparse::default();
        bits.iter().rev().for_each(|bit| sparse.insert(*bit));
        let mut out = vec![0; words(300)];
        sparse.add_to(&mut out);
        out
    }

    proptest! {
        #[test]
        fn sets_of_bits_are_sets(
            a in proptest::collection::btree_set(0..300usize, 0..20),
            b in proptest::collection::btree_set(0..300usize, 0..20),
            c in proptest::collection::btree_set(0..300usize, 0..20),
        ) {
            let (da, db) = (dense(&a), dense(&b));
            for bit in 0..400 {
                prop_assert_eq!(has(&da, bit), a.contains(&bit));
            }
            prop_assert_eq!(meet(&da, &db), a.intersection(&b).next().is_some());
            let mut sparse = Sparse::default();
            c.iter().for_each(|bit| sparse.insert(*bit));
            let all: BTreeSet<_> = a.intersection(&b).copied().collect();
            prop_assert_eq!(sparse.meets(&da, &db), all.intersection(&c).next().is_some());
            prop_assert_eq!(sparse.touches(&da), !c.is_disjoint(&a));
            prop_assert!(sparse.common(&da).eq(c.intersection(&a).copied()));
            let (mut both, mut any) = (da.clone(), da.clone());
            and(&mut both, &db);
            or(&mut any, &db);
            prop_assert_eq!(both, dense(&all));
            prop_assert_eq!(any, dense(&a.union(&b).copied().collect()));
        }
    }
}
