//! `stun.answers` and `derp.works`.

use crate::Verdict;

/// What a STUN server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stun {
    /// This is the address it saw us come from, after so many milliseconds.
    Mapped { address: String, milliseconds: u64 },
    /// Something came that is no answer.
    Nonsense,
    /// Nothing came.
    Silent { tries: u32 },
    /// There is no way there from here.
    NoWay(String),
}

/// What clients are told about STUN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StunPlan {
    /// These servers were asked.
    Asked(Vec<(String, Stun)>),
    /// The relay is switched off, and with it STUN.
    RelayOff,
    /// The relay is on, STUN is not.
    StunOff,
}

/// Whether clients learn their addresses.
pub fn stun(plan: &StunPlan) -> Verdict {
    let on = "relay: {enabled: true, stun: \"[::]:3478\"}";
    match plan {
        StunPlan::RelayOff => {
            Verdict::fail("the relay is switched off, and STUN with it: nothing listens on UDP 3478").fix(on)
        }
        StunPlan::StunOff => Verdict::fail("STUN is switched off").fix(on),
        StunPlan::Asked(answers) => {
            let each = answers.iter().map(|(of, answer)| one_stun(of, answer));
            Verdict::all(each, || Verdict::unknown("no STUN server is known"))
        }
    }
}

fn one_stun(of: &str, answer: &Stun) -> Verdict {
    let port = of.rsplit(':').next().unwrap_or("3478");
    let (verdict, said) = match answer {
        Stun::Mapped { address, milliseconds } => {
            (Verdict::pass(format!("{of} answers in {milliseconds} ms")), format!("you are {address}"))
        }
        Stun::Nonsense => (
            Verdict::fail(format!("what answers at {of} is no STUN server")),
            "no binding response".to_owned(),
        ),
        Stun::Silent { tries } => (
            Verdict::fail(format!("{of} does not answer"))
                .fix(format!("open UDP {port} in every firewall on the way, for IPv4 and IPv6")),
            format!("nothing, {tries} times"),
        ),
        Stun::NoWay(why) => {
            (Verdict::unknown(format!("there is no way to {of} from here: {why}")), why.clone())
        }
    };
    verdict.seen("a binding request", of, said)
}

/// What a relay said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Derp {
    /// It upgraded the connection and named its key.
    Greeted { milliseconds: u64 },
    /// Nobody listens.
    Refused,
    /// Nothing came in time, or there is no way there.
    Unreachable(String),
    /// TLS failed.
    Tls(String),
    /// It greets and shows another certificate than clients are told to expect.
    Foreign { expected: String, shown: String },
    /// It greets and shows a certificate that no authority vouches for, and clients are told of none.
    Untrusted(String),
    /// It answered the upgrade with this status; the hops that named themselves.
    NoUpgrade { status: u16, hops: Vec<String> },
    /// It upgraded, and what came is not the protocol.
    Nonsense(String),
}

/// Whether relays work; nothing when there is none.
pub fn derp(relays: &[(String, Derp)]) -> Verdict {
    let each = relays.iter().map(|(of, answer)| one_derp(of, answer));
    Verdict::all(each, || {
        Verdict::fail("clients are told of no relay: who cannot reach others directly is cut off")
            .fix("relay: {enabled: true}")
    })
}

fn one_derp(of: &str, answer: &Derp) -> Verdict {
    let (verdict, said) = match answer {
        Derp::Greeted { milliseconds } => {
            (Verdict::pass(format!("{of} greets in {milliseconds} ms")), "101, and its key".to_owned())
        }
        Derp::Refused => (
            Verdict::fail(format!("nobody listens at {of}")).fix(format!("publish the relay's port: {of}")),
            "connection refused".to_owned(),
        ),
        Derp::Unreachable(why) => (
            Verdict::fail(format!("{of} does not answer: {why}"))
                .fix("open the relay's TCP port in every firewall on the way"),
            why.clone(),
        ),
        Derp::Tls(why) => {
            (Verdict::fail(format!("TLS with {of} fails: {why}")).fix("see certificates.expiry"), why.clone())
        }
        Derp::Foreign { expected, shown } => (
            Verdict::fail(format!("{of} shows another certificate than clients are told: they refuse it"))
                .fix(format!("let nothing but the server's own relay have {of}, then meshctl server reload")),
            format!("{shown}, and clients expect {expected}"),
        ),
        Derp::Untrusted(why) => (
            Verdict::fail(format!("clients do not trust the certificate of {of}: {why}")).fix(
                "a certificate of an authority that clients know, with its whole chain, for the relay's host",
            ),
            why.clone(),
        ),
        Derp::NoUpgrade { status, hops } => {
            let who = hops.first().map_or("whoever is there", String::as_str);
            (
                Verdict::fail(format!("{who} answers {of} with {status} and does not upgrade to DERP"))
                    .fix("proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;"),
                status.to_string(),
            )
        }
        Derp::Nonsense(why) => {
            (Verdict::fail(format!("what answers at {of} is no relay: {why}")), why.clone())
        }
    };
    verdict.seen("GET /derp with Upgrade: DERP", of, said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn asked(answer: Stun) -> State {
        stun(&StunPlan::Asked(vec![("192.0.2.1:3478".into(), answer)])).state()
    }

    #[test]
    fn only_a_binding_response_is_an_answer() {
        assert_eq!(asked(Stun::Mapped { address: "192.0.2.9:1".into(), milliseconds: 1 }), State::Pass);
        assert_eq!(asked(Stun::Silent { tries: 3 }), State::Fail);
        assert_eq!(asked(Stun::Nonsense), State::Fail);
        assert_eq!(asked(Stun::NoWay("network is unreachable".into())), State::Unknown);
        assert_eq!(stun(&StunPlan::Asked(Vec::new())).state(), State::Unknown);
    }

    #[test]
    fn stun_without_the_relay_is_no_stun() {
        for plan in [StunPlan::RelayOff, StunPlan::StunOff] {
            let verdict = stun(&plan);
            assert_eq!(verdict.state(), State::Fail);
            assert!(verdict.worst().unwrap().fix.as_ref().unwrap().contains("relay"));
        }
    }

    #[test]
    fn a_relay_must_greet() {
        let state = |answer| derp(&[("relay.example:443".into(), answer)]).state();
        assert_eq!(state(Derp::Greeted { milliseconds: 3 }), State::Pass);
        for bad in [
            Derp::Refused,
            Derp::Unreachable("5 s".into()),
            Derp::Tls("expired".into()),
            Derp::Foreign { expected: "sha256-raw:aa".into(), shown: "sha256-raw:bb".into() },
            Derp::Untrusted("unknown issuer".into()),
            Derp::NoUpgrade { status: 200, hops: vec!["nginx".into()] },
            Derp::Nonsense("no magic".into()),
        ] {
            assert_eq!(state(bad), State::Fail);
        }
        assert_eq!(derp(&[]).state(), State::Fail);
    }
}
