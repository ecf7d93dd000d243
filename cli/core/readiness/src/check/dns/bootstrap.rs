//! `dns.public-bootstrap`: what public resolvers say of a name that clients need before the tunnel.

use std::net::IpAddr;

use super::address::{is_public, proxy_of};
use crate::Verdict;

/// How a resolver was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    Udp,
    Tcp,
    /// DNS over TLS.
    Dot,
    /// DNS over HTTPS.
    Doh,
}

impl Transport {
    fn word(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Dot => "TLS",
            Transport::Doh => "HTTPS",
        }
    }
    /// Whether nobody in between can answer in its place.
    fn is_proven(self) -> bool {
        matches!(self, Transport::Dot | Transport::Doh)
    }
}

/// What a resolver said to the questions for A and AAAA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// These addresses, at the end of these aliases.
    Addresses { addresses: Vec<IpAddr>, aliases: Vec<String> },
    /// NXDOMAIN.
    NoSuchName,
    /// The name is there and has no address.
    NoAddress,
    /// An error that goes away when signatures are not verified.
    Bogus,
    /// Another error: its code.
    Error(String),
    /// Nothing: why.
    Silent(String),
}

/// One question to one resolver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `1.1.1.1`.
    pub resolver: String,
    /// How.
    pub transport: Transport,
    /// What it said.
    pub answer: Answer,
}

/// A name, and what everybody said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// `vpn.example.com`.
    pub name: String,
    /// `the control server`.
    pub what: String,
    /// Every question.
    pub asked: Vec<Asked>,
}

/// `intercepted` says that an address which runs no DNS answered: then only what is encrypted counts.
pub fn public_bootstrap(names: &[Name], intercepted: bool) -> Verdict {
    let each = names.iter().map(|name| one(name, intercepted));
    let verdict =
        Verdict::all(each, || Verdict::unknown("it is not known which name clients need: --url URL"));
    if !intercepted {
        return verdict;
    }
    verdict
        .and(Verdict::warn(
            "somebody on the way answers DNS in the place of others: only DNS over TLS and HTTPS counted",
        ))
        .seen("a DNS question", "an address that runs no DNS", "an answer")
}

fn one(name: &Name, intercepted: bool) -> Verdict {
    let Name { name: host, what, asked } = name;
    if host.parse::<IpAddr>().is_ok() {
        return Verdict::skip(format!("{what} is named by its address {host}, which needs no DNS"));
    }
    if !host.contains('.')
        || host.ends_with(".local")
        || host.ends_with(".internal")
        || host.ends_with(".localhost")
    {
        return Verdict::fail(format!("{host} ({what}) can never be a public name"))
            .fix("server_url: https://NAME.IN.A.PUBLIC.ZONE");
    }
    let counted: Vec<_> = asked.iter().filter(|a| !intercepted || a.transport.is_proven()).collect();
    let verdict = judge(host, what, &by_resolver(&counted));
    asked.iter().fold(verdict, |verdict, a| {
        verdict.seen(format!("{host} over {}", a.transport.word()), &a.resolver, words(&a.answer))
    })
}

/// Each resolver's word: of several ways the first that brought an answer.
fn by_resolver<'a>(asked: &[&'a Asked]) -> Vec<(&'a str, &'a Answer)> {
    let mut words: Vec<(&str, &Answer)> = Vec::new();
    for a in asked {
        match words.iter_mut().find(|(resolver, _)| *resolver == a.resolver) {
            None => words.push((&a.resolver, &a.answer)),
            Some((_, known)) if matches!(known, Answer::Silent(_)) => *known = &a.answer,
            Some(_) => {}
        }
    }
    words
}

fn judge(host: &str, what: &str, words: &[(&str, &Answer)]) -> Verdict {
    let name = format!("{host} ({what})");
    let dig =
        |resolver: &str| format!("dig @{} {host} A", resolver.split([':', '#']).next().unwrap_or(resolver));
    let first = words.first().map_or("1.1.1.1", |(resolver, _)| resolver);
    let of = |wanted: fn(&Answer) -> bool| {
        words.iter().filter(|(_, a)| wanted(a)).map(|(r, _)| *r).collect::<Vec<_>>()
    };
    let answered = of(|a| !matches!(a, Answer::Silent(_) | Answer::Error(_)));
    let good =
        of(|a| matches!(a, Answer::Addresses { addresses, .. } if addresses.iter().any(|ip| is_public(*ip))));
    let negative = of(|a| matches!(a, Answer::NoSuchName | Answer::NoAddress));
    let kept = of(
        |a| matches!(a, Answer::Addresses { addresses, .. } if !addresses.iter().any(|ip| is_public(*ip))),
    );
    let bogus = of(|a| matches!(a, Answer::Bogus));
    if !bogus.is_empty() {
        return Verdict::fail(format!(
            "the signatures of {name} are wrong: {} refuse to answer (DNSSEC)",
            bogus.join(", ")
        ))
        .fix(format!("dig +cd @{first} {host} A   # then mend the zone's DS and DNSKEY"));
    }
    if answered.is_empty() {
        return Verdict::unknown(format!("no public resolver could be asked about {name}")).fix(dig(first));
    }
    if kept.len() > good.len() || (good.is_empty() && !kept.is_empty()) {
        return Verdict::fail(format!(
            "{name} has only addresses that the public cannot reach, say {}",
            kept.join(", ")
        ))
        .fix(format!("{host}. 300 IN A <public address>   # in the public zone"));
    }
    if good.is_empty() || negative.len() > good.len() {
        return Verdict::fail(format!("{name} is not known to {}", negative.join(", ")))
            .fix(format!("{host}. 300 IN A <public address>   # in the public zone"));
    }
    let verdict = addresses(&name, words);
    if good.len() == 1 {
        return verdict.and(
            Verdict::warn(format!("only {} knows {name}; nobody else confirmed it", good[0])).fix(dig(first)),
        );
    }
    verdict.and(Verdict::pass(format!("{name} is known to {}", good.join(", "))))
}

/// What the addresses themselves say.
fn addresses(name: &str, words: &[(&str, &Answer)]) -> Verdict {
    let mut all: Vec<IpAddr> = Vec::new();
    for (_, answer) in words {
        if let Answer::Addresses { addresses, .. } = answer {
            all.extend(addresses);
        }
    }
    if let Some(proxy) = all.iter().find_map(|ip| proxy_of(*ip)) {
        return Verdict::fail(format!("{name} leads to {proxy}, which ends the connections of clients: it does not pass their upgrade on"))
            .fix("switch the proxy off for this name (DNS only)");
    }
    if all.iter().any(|ip| !is_public(*ip)) {
        return Verdict::warn(format!(
            "{name} has private addresses beside public ones: some clients will try those"
        ))
        .fix("take the private addresses out of the public zone");
    }
    if all.iter().all(IpAddr::is_ipv6) {
        return Verdict::warn(format!(
            "{name} has IPv6 addresses alone: clients in networks of IPv4 cannot reach it"
        ))
        .fix("add an A record");
    }
    Verdict::default()
}

fn words(answer: &Answer) -> String {
    match answer {
        Answer::Addresses { addresses, aliases } => {
            let path = aliases.iter().cloned().chain(addresses.iter().map(ToString::to_string));
            path.collect::<Vec<_>>().join(" ")
        }
        Answer::NoSuchName => "NXDOMAIN".to_owned(),
        Answer::NoAddress => "no address".to_owned(),
        Answer::Bogus => "SERVFAIL, and an answer when signatures are not verified".to_owned(),
        Answer::Error(code) => code.clone(),
        Answer::Silent(why) => format!("nothing: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn found(ips: &[&str]) -> Answer {
        Answer::Addresses {
            addresses: ips.iter().map(|ip| ip.parse().unwrap()).collect(),
            aliases: Vec::new(),
        }
    }
    fn silent() -> Answer {
        Answer::Silent("timed out".into())
    }
    fn judged(answers: Vec<Answer>) -> (State, String) {
        let asked = answers.into_iter().enumerate().map(|(n, answer)| Asked {
            resolver: format!("9.9.9.{n}"),
            transport: Transport::Udp,
            answer,
        });
        let name = Name {
            name: "vpn.example.com".into(),
            what: "the control server".into(),
            asked: asked.collect(),
        };
        let verdict = public_bootstrap(&[name], false);
        (verdict.state(), verdict.summary())
    }
    const PUBLIC: &str = "93.184.216.34";

    #[test]
    fn two_resolvers_make_a_name_public() {
        assert_eq!(judged(vec![found(&[PUBLIC]), found(&[PUBLIC])]).0, State::Pass);
        assert_eq!(judged(vec![found(&[PUBLIC]), found(&[PUBLIC]), silent()]).0, State::Pass);
        assert_eq!(judged(vec![found(&[PUBLIC]), silent()]).0, State::Warn);
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        let fails = |answers, word: &str| {
            let (state, summary) = judged(answers);
            assert!(state == State::Fail && summary.contains(word), "{state:?} {summary}");
        };
        fails(vec![Answer::NoSuchName, Answer::NoSuchName], "not known");
        fails(vec![Answer::NoAddress], "not known");
        fails(vec![found(&["10.0.0.5"]), found(&["10.0.0.5"])], "cannot reach");
        fails(vec![found(&["100.64.0.5"])], "cannot reach");
        fails(vec![found(&["104.18.1.1"]), found(&["104.18.1.1"])], "Cloudflare");
        fails(vec![Answer::Bogus, found(&[PUBLIC])], "DNSSEC");
        assert_eq!(judged(vec![found(&[PUBLIC, "10.0.0.5"]), found(&[PUBLIC])]).0, State::Warn);
        assert_eq!(judged(vec![found(&["2a01:4f8::1"]), found(&["2a01:4f8::1"])]).0, State::Warn);
    }

    #[test]
    fn nobody_to_ask_is_unknown() {
        assert_eq!(judged(vec![silent(), silent()]).0, State::Unknown);
        assert_eq!(judged(vec![Answer::Error("REFUSED".into())]).0, State::Unknown);
        assert_eq!(public_bootstrap(&[], false).state(), State::Unknown);
    }

    #[test]
    fn behind_an_interceptor_only_what_is_encrypted_counts() {
        let asked = |transport, answer| Asked { resolver: "9.9.9.9".into(), transport, answer };
        let name = |answers| Name { name: "vpn.example.com".into(), what: "it".into(), asked: answers };
        let lie = asked(Transport::Udp, found(&[PUBLIC]));
        let truth = asked(Transport::Dot, Answer::NoSuchName);
        assert_eq!(public_bootstrap(&[name(vec![lie.clone()])], true).state(), State::Unknown);
        assert_eq!(public_bootstrap(&[name(vec![lie, truth])], true).state(), State::Fail);
    }

    #[test]
    fn addresses_need_no_dns_and_some_names_are_never_public() {
        let name = |name: &str| Name { name: name.into(), what: "it".into(), asked: Vec::new() };
        assert_eq!(public_bootstrap(&[name("192.0.2.1")], false).state(), State::Skip);
        for never in ["vpn", "vpn.local", "vpn.mesh.internal"] {
            assert_eq!(public_bootstrap(&[name(never)], false).state(), State::Fail);
        }
    }

    #[test]
    fn a_way_that_was_silent_gives_way_to_the_next() {
        let asked = |transport, answer| Asked { resolver: "9.9.9.9".into(), transport, answer };
        let both = [asked(Transport::Udp, silent()), asked(Transport::Tcp, found(&[PUBLIC]))];
        let words = by_resolver(&both.iter().collect::<Vec<_>>()).len();
        assert_eq!(words, 1);
        let name = Name { name: "vpn.example.com".into(), what: "it".into(), asked: both.to_vec() };
        assert_eq!(public_bootstrap(&[name], false).state(), State::Warn);
    }
}
