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
use ident::NodeId;
use netmap::Concern;
use policy::{Device, Document, Person, Roster};
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

/// Two devices of each of many people, which `autogroup:self` opens to each other: few classes, and one more device is news
/// to its person's others alone.
#[test]
fn what_a_person_adds_is_news_to_that_person() {
    let device = |number: usize, owner: usize| Device {
        traits: None,
        name: format!("n{number}"),
        host: format!("host{number}"),
        tags: Vec::new(),
        owner: Some(owner),
        v4: std::net::Ipv4Addr::from(0x6440_0100 + number as u32),
        v6: std::net::Ipv6Addr::from(0xfd7a_115c_a1e0_0000_0000_0000_0000_0100_u128 + number as u128),
        routes: Vec::new(),
    };
    let people = (0..200).map(|at| Person { name: format!("person{at}"), ..Person::default() }).collect();
    let roster = Roster { people, devices: (0..400).map(|number| device(number, number / 2)).collect() };
    let policy = r#"{
        "tagOwners": {"tag:web": []},
        "acls": [{"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:*", "tag:web:22"]}],
        "grants": [{"src": ["autogroup:member"], "dst": ["autogroup:self"], "app": {"tailscale.com/cap/drive": []}}],
    }"#;
    let mut served = Served::new(&roster, policy).unwrap();
    assert_eq!(served.classes(), 1);
    let (id, span) = served.join(&device(400, 7));
    assert_eq!(served.classes(), 1);
    let mut concern = Concern::new(&span);
    let woken: Vec<_> = served.ids().filter(|id| concern.of(*id)).collect();
    assert_eq!(woken, [NodeId::new(15).unwrap(), NodeId::new(16).unwrap(), id]);
    for other in woken.iter().filter(|other| **other != id) {
        let told = span.delta(*other, &mut |rule| netmap::sources(&span.new, rule).into());
        assert_eq!(told.len(), 2, "the filter, then the peer");
        assert_eq!(told[0].packet_filters.len(), 3, "each rule for one's own");
        assert_eq!(told[1].peers_changed.len(), 1);
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
