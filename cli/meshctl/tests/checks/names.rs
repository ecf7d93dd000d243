//! Public names, asked of resolvers of every kind.

use std::net::UdpSocket;

use crate::{
    bench::{Bench, Said, address},
    resolver::{NAME, PUBLIC, Resolver},
};

const ID: &str = "dns.public-bootstrap";

/// Two resolvers that say the same, and an address where nobody answers.
fn judged(addresses: &[&str]) -> Said {
    let both = [Resolver::start(addresses), Resolver::start(addresses)];
    let nowhere = UdpSocket::bind(format!("{}:53535", address())).unwrap();
    asked(&both.iter().map(|r| r.at.clone()).collect::<Vec<_>>(), &nowhere.local_addr().unwrap().to_string())
}

fn asked(resolvers: &[String], nowhere: &str) -> Said {
    Bench::new().check(&question(resolvers, nowhere))
}

fn question(resolvers: &[String], nowhere: &str) -> String {
    let named: String = resolvers.iter().map(|at| format!(" --resolver {at}")).collect();
    format!("--only {ID} --url https://{NAME}{named} --no-resolver {nowhere}")
}

#[test]
fn a_name_that_two_resolvers_know_is_public() {
    let said = judged(&[PUBLIC]);
    assert_eq!((said.code, said.state(ID).as_str()), (0, "pass"), "{}", said.out);
    let evidence = said.check(ID)["evidence"].to_string();
    assert!(
        evidence.contains("over UDP") && evidence.contains("over TCP") && evidence.contains(PUBLIC),
        "{evidence}"
    );
}

#[test]
fn a_name_that_nobody_knows_fails() {
    let said = judged(&[]);
    assert_eq!((said.code, said.state(ID).as_str()), (1, "fail"), "{}", said.out);
    assert!(said.check(ID)["summary"].as_str().unwrap().contains("not known"), "{}", said.out);
    assert!(said.fix(ID).starts_with("vpn.example.com. 300 IN A"), "{}", said.fix(ID));
}

#[test]
fn private_answers_are_no_public_name() {
    let said = judged(&["10.0.0.5"]);
    assert_eq!(said.state(ID), "fail", "{}", said.out);
    assert!(said.check(ID)["summary"].as_str().unwrap().contains("cannot reach"), "{}", said.out);
    assert_eq!(judged(&["10.0.0.5", PUBLIC]).state(ID), "warn");
}

#[test]
fn a_name_behind_a_proxy_that_ends_connections_fails() {
    let said = judged(&["104.18.1.1"]);
    assert_eq!(said.state(ID), "fail", "{}", said.out);
    assert!(said.check(ID)["summary"].as_str().unwrap().contains("Cloudflare"), "{}", said.out);
}

#[test]
fn who_answers_in_the_place_of_others_proves_nothing() {
    let liar = Resolver::start(&[PUBLIC]);
    let said = asked(&[liar.at.clone(), liar.at.clone()], &liar.at);
    assert_eq!((said.code, said.state(ID).as_str()), (3, "unknown"), "{}", said.out);
    assert!(said.out.contains("answers DNS in the place of others"), "{}", said.out);
}

#[test]
fn resolvers_that_say_nothing_make_it_unknown() {
    let silent = UdpSocket::bind(format!("{}:5353", address())).unwrap();
    let at = silent.local_addr().unwrap().to_string();
    let said = Bench::new().check_once(&question(std::slice::from_ref(&at), &at));
    assert_eq!((said.code, said.state(ID).as_str()), (3, "unknown"), "{}", said.out);
}

#[test]
fn resolvers_that_disagree_are_told() {
    let (knows, does_not) = (Resolver::start(&[PUBLIC]), Resolver::start(&[]));
    let nowhere = UdpSocket::bind(format!("{}:53535", address())).unwrap();
    let said = asked(&[knows.at.clone(), does_not.at.clone()], &nowhere.local_addr().unwrap().to_string());
    assert_eq!(said.state(ID), "warn", "{}", said.out);
}

#[test]
fn a_nameserver_is_judged_by_dns() {
    let bench = Bench::new();
    let id = "dns.resolver-protocol";
    let answers = Resolver::start(&[PUBLIC]);
    let said = bench.check(&format!("--only {id} --nameserver {}", answers.at));
    assert_eq!(said.state(id), "pass", "{}", said.out);
    let pings_alone = format!("{}:5353", address());
    let said = bench.check_once(&format!("--only {id} --nameserver {pings_alone}"));
    assert_eq!((said.code, said.state(id).as_str()), (3, "unknown"), "{}", said.out);
}
