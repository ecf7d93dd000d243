//! Public names, asked of resolvers of every kind (dnsmasq, on addresses of this machine).

use std::{
    net::{TcpStream, UdpSocket},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    bench::{Bench, Said, address},
    encrypted,
};

const NAME: &str = "vpn.example.com";
const PUBLIC: &str = "93.184.216.34";
const ID: &str = "dns.public-bootstrap";

/// A resolver; ends with the value.
struct Resolver {
    process: Child,
    at: String,
}

impl Resolver {
    /// Answers for example.com alone, with these addresses for [`NAME`].
    fn start(addresses: &[&str]) -> Self {
        let ip = address();
        let at = format!("{ip}:5353");
        let mut command = Command::new("dnsmasq");
        command.args([
            "--no-daemon",
            "--no-resolv",
            "--no-hosts",
            "--conf-file=/dev/null",
            "--user=",
            "--port=5353",
        ]);
        command.args([
            format!("--listen-address={ip}"),
            "--bind-interfaces".into(),
            "--local=/example.com/".into(),
        ]);
        command.args(addresses.iter().map(|to| format!("--host-record={NAME},{to}")));
        command.arg("--pid-file=");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("dnsmasq (Debian: dnsmasq-base)");
        let resolver = Self { process, at };
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(&resolver.at).is_err() {
            assert!(Instant::now() < until, "dnsmasq does not listen");
            sleep(Duration::from_millis(20));
        }
        resolver
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Two resolvers that say the same, and an address where nobody answers.
fn judged(addresses: &[&str]) -> Said {
    let both = [Resolver::start(addresses), Resolver::start(addresses)];
    let nowhere = UdpSocket::bind(format!("{}:53535", address())).unwrap();
    asked(&both.iter().map(|r| r.at.clone()).collect::<Vec<_>>(), &nowhere.local_addr().unwrap().to_string())
}

fn asked(resolvers: &[String], nowhere: &str) -> Said {
    let bench = Bench::new();
    let named: String = resolvers.iter().map(|at| format!(" --resolver {at}")).collect();
    bench.check(&format!("--only {ID} --url https://{NAME}{named} --no-resolver {nowhere}"))
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
    let said = asked(std::slice::from_ref(&at), &at);
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
    let said = bench.check(&format!("--only {id} --nameserver {pings_alone}"));
    assert_eq!((said.code, said.state(id).as_str()), (3, "unknown"), "{}", said.out);
}

#[test]
fn what_is_encrypted_counts_where_somebody_answers_for_everybody() {
    let bench = Bench::new();
    let (first, second, liar) =
        (Resolver::start(&[PUBLIC]), Resolver::start(&[PUBLIC]), Resolver::start(&[]));
    let mut named = format!(" --resolver {}", liar.at);
    for (number, resolver) in [&first, &second].into_iter().enumerate() {
        let (at, ca) = (format!("{}:8853", address()), bench.path(&format!("ca{number}.pem")));
        encrypted::front(&at, &resolver.at, "dns.test", &ca);
        named.push_str(&format!(" --resolver tls://{at}#dns.test"));
    }
    let all = [0, 1].map(|n| std::fs::read_to_string(bench.path(&format!("ca{n}.pem"))).unwrap()).concat();
    bench.write("ca.pem", &all);
    let line = format!("--only {ID} --url https://{NAME}{named} --no-resolver {}", liar.at);
    let said = bench.check(&format!("{line} --ca ca.pem"));
    assert_eq!((said.code, said.state(ID).as_str()), (0, "warn"), "{}", said.out);
    assert!(said.check(ID)["evidence"].to_string().contains("over TLS"), "{}", said.out);
    let distrusted = bench.check(&line);
    assert_eq!((distrusted.code, distrusted.state(ID).as_str()), (3, "unknown"), "{}", distrusted.out);
}
