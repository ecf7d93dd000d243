//! Everyone reaches everyone, by address and by name, on the best path there is.
#![cfg(test)]

use client_stories::Mesh;
use lab::{Lab, Pong};

const ALL: [&str; 4] = ["c1", "c2", "c3", "c4"];

#[test]
fn all_pairs_reach_each_other() {
    let lab = Lab::start().unwrap();
    let mesh = Mesh::of_members(&lab, &ALL).unwrap();

    for (from, to) in pairs(&ALL) {
        let (ipv4, ipv6) = (mesh.ipv4(to).unwrap(), mesh.ipv6(to).unwrap());
        for target in [ipv4.as_str(), ipv6.as_str(), to] {
            assert!(mesh.reaches(from, target).unwrap(), "{from} does not reach {to} as {target}");
        }
        let found = lab.host(from).unwrap().exec(&["getent", "ahostsv4", to]).unwrap().stdout;
        assert!(found.starts_with(&format!("{ipv4} ")), "{from} looks up {to} and finds {found}");
    }

    for (from, to) in pairs(&["c1", "c2", "c3"]) {
        let pong = mesh.client(from).unwrap().ping(to, true).unwrap();
        assert!(matches!(pong, Pong::Direct(_)), "{from} to {to}: {pong:?}");
    }

    assert!(lab.dropped_udp().unwrap() > 0, "c4 has sent no UDP that its firewall could drop");
    for other in ["c1", "c2", "c3"] {
        for (from, to) in [("c4", other), (other, "c4")] {
            let pong = mesh.client(from).unwrap().ping(to, false).unwrap();
            assert!(matches!(pong, Pong::Relayed(_)), "{from} to {to}: {pong:?}");
        }
    }
}

fn pairs<'a>(hosts: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    hosts.iter().flat_map(|from| hosts.iter().filter(move |to| *to != from).map(|to| (*from, *to)))
}
