//! What a running server tells its nodes, against two who know better: the corpus of what the reference said, and the
//! evaluator that looks at all nodes and all rules at once.

#[cfg(test)]
#[path = "oracle/compare.rs"]
mod compare;
#[cfg(test)]
#[path = "oracle/corpus.rs"]
mod corpus;
#[cfg(test)]
#[path = "oracle/random.rs"]
mod random;
#[cfg(test)]
#[path = "oracle/served.rs"]
mod served;

use compare::Told;
use policy::Document;
use proptest::prelude::*;
use served::Served;

/// Cases that have another answer, with the reason; everything else must be as the reference has it.
const OTHERWISE: [(&str, &str); 0] = [];

#[test]
fn every_case_of_the_corpus_is_served() {
    let (mut compared, mut wrong) = (0, Vec::new());
    for case in corpus::accepted() {
        let served = Served::new(&case.roster, &case.policy).unwrap_or_else(|e| panic!("{}: {e}", case.id));
        for (name, expected) in &case.expect {
            compared += 1;
            let difference = expected.difference(&served.told(name));
            let known = OTHERWISE.iter().any(|(id, _)| *id == case.id);
            match (difference, known) {
                (Some(what), false) => wrong.push(format!("{}: {name}: {what}", case.id)),
                (None, true) => wrong.push(format!("{}: {name}: is right, though it is listed", case.id)),
                (Some(_), true) | (None, false) => {}
            }
        }
    }
    assert!(compared > 3000, "only {compared} nodes were looked at");
    assert!(wrong.is_empty(), "{} of {compared}\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
}

/// Decision 0004: what the reference takes for "everything is open" opens nothing here.
#[test]
fn without_rules_nothing_is_open() {
    let cases: Vec<_> = corpus::accepted().into_iter().filter(|case| case.says_nothing_of_access).collect();
    assert!(cases.len() > 40);
    for case in cases {
        let served = Served::new(&case.roster, &case.policy).unwrap();
        for device in &case.roster.devices {
            assert_eq!(served.told(&device.name), Told::nothing_but_itself(device), "{}", case.id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_slow_and_the_fast_way_say_the_same((roster, policy) in random::tailnet()) {
        let document = Document::parse(&policy).map_err(|e| TestCaseError::fail(format!("{e}\n{policy}")))?;
        let right = document.answer(&roster).map_err(TestCaseError::fail)?;
        let served = Served::new(&roster, &policy).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for (name, view) in &right {
            let expected = Told::of_view(view);
            let difference = expected.difference(&served.told(name));
            prop_assert!(difference.is_none(), "{name}: {}\n{policy}", difference.unwrap_or_default());
        }
    }
}
