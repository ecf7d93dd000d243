//! The same names asked over TLS and over HTTPS, and names whose signatures are wrong.

use std::net::UdpSocket;

use crate::{
    bench::{Bench, Said, address},
    encrypted::Way,
    resolver::{NAME, PUBLIC, Resolver},
};

const ID: &str = "dns.public-bootstrap";

/// Both resolvers are asked by this way alone; whom nobody should answer for is `nowhere`.
fn asked(way: Way, resolvers: &[&Resolver], nowhere: &str, trusted: bool) -> Said {
    let bench = Bench::new();
    let (mut named, mut roots) = (String::new(), String::new());
    for resolver in resolvers {
        let at = format!("{}:8853", address());
        roots += &way.front(&at, &resolver.at, "dns.test");
        named += &format!(" --resolver {}://{at}#dns.test", way.scheme());
    }
    bench.write("ca.pem", &roots);
    let trust = if trusted { " --ca ca.pem" } else { "" };
    bench.check(&format!("--only {ID} --url https://{NAME}{named} --no-resolver {nowhere}{trust}"))
}

fn nowhere() -> (UdpSocket, String) {
    let socket = UdpSocket::bind(format!("{}:53535", address())).unwrap();
    let at = socket.local_addr().unwrap().to_string();
    (socket, at)
}

#[test]
fn names_are_asked_over_tls_and_over_https() {
    let (first, second) = (Resolver::start(&[PUBLIC]), Resolver::start(&[PUBLIC]));
    let (_nobody, nowhere) = nowhere();
    for (way, word) in [(Way::Tls, "over TLS"), (Way::Https, "over HTTPS")] {
        let said = asked(way, &[&first, &second], &nowhere, true);
        assert_eq!((said.code, said.state(ID).as_str()), (0, "pass"), "{word}: {}", said.out);
        let evidence = said.check(ID)["evidence"].to_string();
        assert!(evidence.contains(word) && evidence.contains(PUBLIC), "{evidence}");
        let distrusted = asked(way, &[&first, &second], &nowhere, false);
        assert_eq!(
            (distrusted.code, distrusted.state(ID).as_str()),
            (3, "unknown"),
            "{word}: {}",
            distrusted.out
        );
    }
}

#[test]
fn names_that_are_unknown_private_or_proxied_are_so_over_every_way() {
    let (_nobody, nowhere) = nowhere();
    for (addresses, word) in
        [(&[][..], "not known"), (&["10.0.0.5"], "cannot reach"), (&["104.18.1.1"], "Cloudflare")]
    {
        let (first, second) = (Resolver::start(addresses), Resolver::start(addresses));
        for way in [Way::Tls, Way::Https] {
            let said = asked(way, &[&first, &second], &nowhere, true);
            assert_eq!((said.code, said.state(ID).as_str()), (1, "fail"), "{}", said.out);
            assert!(said.check(ID)["summary"].as_str().unwrap().contains(word), "{}", said.out);
        }
    }
}

#[test]
fn what_is_encrypted_counts_where_somebody_answers_for_everybody() {
    let (first, second, liar) =
        (Resolver::start(&[PUBLIC]), Resolver::start(&[PUBLIC]), Resolver::start(&[]));
    for way in [Way::Tls, Way::Https] {
        let said = asked(way, &[&first, &second], &liar.at, true);
        assert_eq!((said.code, said.state(ID).as_str()), (0, "warn"), "{}", said.out);
        let distrusted = asked(way, &[&first, &second], &liar.at, false);
        assert_eq!((distrusted.code, distrusted.state(ID).as_str()), (3, "unknown"), "{}", distrusted.out);
    }
}

#[test]
fn wrong_signatures_are_told_from_a_name_that_is_not_there() {
    let (knows, does_not) = (Resolver::start(&[PUBLIC]), Resolver::start(&[]));
    let (_nobody, nowhere) = nowhere();
    let judged = |of: &Resolver| {
        let both = [Resolver::validating(of), Resolver::validating(of)];
        let named: String = both.iter().map(|r| format!(" --resolver {}", r.at)).collect();
        Bench::new().check(&format!("--only {ID} --url https://{NAME}{named} --no-resolver {nowhere}"))
    };
    let said = judged(&knows);
    assert_eq!((said.code, said.state(ID).as_str()), (1, "fail"), "{}", said.out);
    assert!(said.check(ID)["summary"].as_str().unwrap().contains("DNSSEC"), "{}", said.out);
    assert!(said.fix(ID).starts_with("dig +cd @127."), "{}", said.fix(ID));
    let said = judged(&does_not);
    assert!(!said.check(ID)["summary"].as_str().unwrap().contains("DNSSEC"), "{}", said.out);
}
