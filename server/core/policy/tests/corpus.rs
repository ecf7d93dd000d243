//! The corpus: what the reference told each node under many policies, and whether we say the same.

#[cfg(test)]
#[path = "corpus/compare.rs"]
mod compare;
#[cfg(test)]
#[path = "corpus/judge.rs"]
mod judge;
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
