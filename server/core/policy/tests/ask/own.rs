//! Differences between one's own devices and those of others.

use super::{acl, acls, compare, roster, told};

#[test]
fn ones_own_devices_are_a_part_of_everybodys() {
    let own = acls(&[acl("autogroup:member", "autogroup:self:*")]);
    let all = acls(&[acl("autogroup:member", "autogroup:member:*")]);
    let found = compare(&all, &own);
    assert!(found.gained.is_empty(), "{:?}", told(&found.gained));
    let found = compare(&own, &all);
    assert_eq!(found.gained.len(), 1);
    let found = compare(&acls(&[]), &own);
    let pairs: u64 = found.gained.iter().map(|shift| shift.pairs).sum();
    assert_eq!(pairs, 2, "{:?}", told(&found.gained));
    let roster = roster();
    let each: Vec<_> = found.gained.iter().flat_map(|shift| shift.each(&roster)).collect();
    assert_eq!(each, [("alices-laptop", "alices-phone"), ("alices-phone", "alices-laptop")]);
}

#[test]
fn what_ones_own_devices_had_already_is_not_new() {
    let own = acl("autogroup:member", "autogroup:self:*");
    let all = acl("autogroup:member", "autogroup:member:22");
    let found = compare(&acls(std::slice::from_ref(&own)), &acls(&[own.clone(), all]));
    let of_others = "autogroup:member (4) → autogroup:member (4) of other people: 22 [10]";
    assert_eq!(told(&found.gained), [of_others]);
    let roster = roster();
    let pairs: Vec<_> = found.gained[0].each(&roster).collect();
    assert!(pairs.len() == 10 && !pairs.contains(&("alices-phone", "alices-laptop")), "{pairs:?}");
    let laptop = acl("alice@", "100.64.0.10:22");
    let found = compare(&acls(std::slice::from_ref(&own)), &acls(&[own.clone(), laptop.clone()]));
    assert!(found.gained.is_empty(), "{:?}", told(&found.gained));
    let found = compare(&acls(&[laptop]), &acls(&[own]));
    let pairs: u64 = found.gained.iter().map(|shift| shift.pairs).sum();
    assert_eq!(pairs, 2, "one of the two had port 22 alone: {:?}", told(&found.gained));
}
