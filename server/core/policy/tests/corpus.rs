//! The corpus: what the reference told each node under many policies, and whether we say the same.

#[cfg(test)]
#[path = "corpus/compare.rs"]
mod compare;
#[cfg(test)]
#[path = "corpus/judge.rs"]
mod judge;
#[cfg(test)]
#[path = "corpus/mutate.rs"]
mod mutate;
#[cfg(test)]
#[path = "corpus/rename.rs"]
mod rename;

#[test]
fn every_case_has_the_answer_of_the_reference() {
    let cases = judge::cases();
    assert_eq!(cases.len(), 424);
    judge::check(&cases);
}

#[test]
fn nothing_is_matched_by_its_name() {
    judge::check(&judge::cases().iter().map(rename::renamed).collect::<Vec<_>>());
}

#[test]
fn order_and_repetition_of_rules_mean_nothing() {
    for case in mutate::ground(&judge::cases()) {
        let (plain, other) = (mutate::answer(&case), mutate::answer(&mutate::shuffled(&case)));
        assert_eq!(mutate::facts(&plain), mutate::facts(&other), "{}", plain.id);
        for (name, view) in &plain.nodes {
            let told = |view: &policy::View| (view.peers.clone(), view.own.clone(), view.ssh.clone());
            assert_eq!(told(view), told(&other.nodes[name]), "{}: {name}", plain.id);
        }
    }
}

#[test]
fn what_nothing_refers_to_means_nothing() {
    for case in mutate::ground(&judge::cases()) {
        let (plain, other) = (mutate::answer(&case), mutate::answer(&mutate::cluttered(&case)));
        assert_eq!(plain.nodes, other.nodes, "{}", plain.id);
    }
}

#[test]
fn rules_open_what_each_of_them_opens() {
    let cases = mutate::ground(&judge::cases());
    let many: Vec<_> = cases.iter().filter(|case| mutate::rules(case).len() > 1).collect();
    assert!(many.len() > 40, "{}", many.len());
    for case in many {
        let whole = mutate::answer(case);
        let parts = mutate::halves(case).map(|half| mutate::facts(&mutate::answer(&half)));
        assert_eq!(mutate::facts(&whole), &parts[0] | &parts[1], "{}", whole.id);
    }
}
