//! `dns.public-bootstrap`, `dns.split-excludes-bootstrap` and `dns.resolver-protocol`.

mod address;
mod bootstrap;
mod split;

use crate::Verdict;

pub use address::is_public;
pub use bootstrap::{Answer, Asked, Name, Transport, public_bootstrap};
pub use split::{Settings, split_excludes_bootstrap};

/// A nameserver that clients are told, and what it said to a DNS question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nameserver {
    /// Its address.
    pub at: String,
    /// What was asked, and the answer; why none came.
    pub answer: Result<String, String>,
    /// Whether it answers a ping; nothing when that was not tried. It decides nothing.
    pub pings: Option<bool>,
    /// Whether it can be reached from everywhere.
    pub public: bool,
}

/// Nameservers are judged by what they are for. `texts` are findings in playbooks and documents.
pub fn resolver_protocol(servers: &[Nameserver], texts: Verdict) -> Verdict {
    let asked = servers.iter().map(nameserver).reduce(Verdict::and).unwrap_or_default();
    let verdict = asked.and(texts);
    if verdict.findings.is_empty() {
        return Verdict::skip(
            "no nameserver is set, and no text was named: --nameserver ADDRESS, --playbooks DIR",
        )
        .and(verdict);
    }
    verdict
}

fn nameserver(server: &Nameserver) -> Verdict {
    let at = &server.at;
    let (verdict, said) = match (&server.answer, server.public) {
        (Ok(said), _) if server.pings == Some(false) => {
            (Verdict::pass(format!("{at} answers DNS (and drops pings, which says nothing)")), said)
        }
        (Ok(said), _) => (Verdict::pass(format!("{at} answers DNS")), said),
        (Err(why), true) => (
            Verdict::fail(format!("{at} does not answer DNS: {why}"))
                .fix(format!("dig @{} example.com A   # from elsewhere", ip(at))),
            why,
        ),
        (Err(why), false) => (
            Verdict::unknown(format!("{at} does not answer DNS from here: {why}; it may do so from inside"))
                .fix(format!("dig @{} example.com A   # on a device that reaches it", ip(at))),
            why,
        ),
    };
    verdict.seen("a DNS question", at, said)
}

fn ip(at: &str) -> &str {
    match at.rsplit_once(':') {
        Some((ip, "53")) => ip.trim_matches(['[', ']']),
        _ => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn server(answer: Result<String, String>, pings: Option<bool>, public: bool) -> State {
        resolver_protocol(
            &[Nameserver { at: "10.0.0.2:53".into(), answer, pings, public }],
            Verdict::default(),
        )
        .state()
    }

    #[test]
    fn a_nameserver_that_drops_pings_and_answers_dns_passes() {
        assert_eq!(server(Ok("NOERROR".into()), Some(false), false), State::Pass);
        assert_eq!(server(Ok("NOERROR".into()), None, true), State::Pass);
    }

    #[test]
    fn a_ping_makes_no_nameserver() {
        assert_eq!(server(Err("timed out".into()), Some(true), true), State::Fail);
        assert_eq!(server(Err("timed out".into()), Some(true), false), State::Unknown);
    }

    #[test]
    fn nothing_to_ask_is_no_pass() {
        assert_eq!(resolver_protocol(&[], Verdict::default()).state(), State::Skip);
        assert_eq!(resolver_protocol(&[], Verdict::fail("net.md says ping")).state(), State::Fail);
    }
}
