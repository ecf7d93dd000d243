//! `server.bind`, `clock.skew` and `certificates.expiry`.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::Verdict;

/// How the server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// What clients are told.
    pub url: String,
    /// Addresses of its host that were tried in the clear, and what was there.
    pub plain: Vec<(String, Plain)>,
    /// `listen` of its configuration and whether it has TLS, if the configuration was named.
    pub configured: Option<(String, bool)>,
}

/// What is at a port, without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// The control protocol.
    Control,
    /// Metrics.
    Metrics,
    /// Something else that speaks HTTP, or nothing.
    Nothing,
    /// No answer in time: a filter, or a wire.
    Silent,
}

/// Whether the server can be had without its proxy, in the clear.
pub fn bind(bind: &Bind) -> Verdict {
    let public = bind.url.starts_with("https://");
    let mut found = Vec::new();
    if !public && !is_here(&bind.url) {
        found.push(
            Verdict::warn(format!(
                "clients are told {}: API keys and passwords go over it in the clear",
                bind.url
            ))
            .fix("server_url: https://…"),
        );
    }
    if let Some((listen, tls)) = &bind.configured {
        let open = listen.parse::<std::net::SocketAddr>().is_ok_and(|at| !at.ip().is_loopback());
        if open && !tls && public {
            found.push(
                Verdict::fail(format!(
                    "listen: {listen} serves plain HTTP to everybody, beside the proxy of {}",
                    bind.url
                ))
                .fix("listen: 127.0.0.1:8080"),
            );
        }
    }
    let each = bind.plain.iter().map(|(at, plain)| plainly(at, *plain, public));
    let found = found.into_iter().chain(each).reduce(Verdict::and);
    let found = found.unwrap_or_default();
    let verdict = match found.findings.is_empty() {
        true => {
            Verdict::pass("nothing of the server is served in the clear where others reach it").and(found)
        }
        false => found,
    };
    let verdict = verdict.seen("the URL that clients are told", "the server", &bind.url);
    match &bind.configured {
        Some((listen, true)) => verdict.seen("listen", "the configuration", format!("{listen} with TLS")),
        Some((listen, false)) => verdict.seen("listen", "the configuration", format!("{listen} without TLS")),
        None => verdict,
    }
}

fn plainly(at: &str, plain: Plain, public: bool) -> Verdict {
    let (verdict, said) = match plain {
        Plain::Control if public => (
            Verdict::fail(format!("http://{at} serves the control protocol in the clear, beside its proxy"))
                .fix("listen: 127.0.0.1:8080"),
            "a server's key",
        ),
        Plain::Metrics => (
            Verdict::fail(format!("http://{at} shows metrics to everybody"))
                .fix("listen on loopback for metrics"),
            "metrics",
        ),
        Plain::Control => (Verdict::default(), "a server's key"),
        Plain::Nothing => (Verdict::default(), "nothing of the server"),
        Plain::Silent => (Verdict::default(), "no answer"),
    };
    verdict.seen("GET /key and /metrics without TLS", at, said)
}

fn is_here(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    let host = match authority.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((v6, _)) => v6,
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Beyond this, tokens of other services and expiries begin to suffer.
const SKEW_WARN_SECONDS: i64 = 5;
const SKEW_FAIL_SECONDS: i64 = 60;

/// What the server's clock showed, between two moments of this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// Whose.
    pub of: String,
    /// When it was asked.
    pub before: Timestamp,
    /// What it said, in whole seconds.
    pub said: Timestamp,
    /// When the answer was there.
    pub after: Timestamp,
}

/// Whether the clocks agree, as far as can be seen.
pub fn clock(clock: &Clock) -> Verdict {
    let (before, after) = (clock.before.as_second(), clock.after.as_second());
    // A date in whole seconds may be up to one second old.
    let said = clock.said.as_second();
    let skew = match said {
        s if s + 1 < before => s + 1 - before,
        s if s > after => s - after,
        _ => 0,
    };
    let words = match skew {
        0 => "it agrees with this one".to_owned(),
        s if s < 0 => format!("it is at least {} s behind this one", -s),
        s => format!("it is at least {s} s ahead of this one"),
    };
    let verdict = match skew.abs() {
        s if s > SKEW_FAIL_SECONDS => Verdict::fail(format!("the clock of {}: {words}", clock.of)),
        s if s > SKEW_WARN_SECONDS => Verdict::warn(format!("the clock of {}: {words}", clock.of)),
        _ => Verdict::pass(format!("the clock of {}: {words}", clock.of)),
    };
    let verdict = if skew.abs() > SKEW_WARN_SECONDS {
        verdict.fix("timedatectl set-ntp true   # on whichever host is wrong")
    } else {
        verdict
    };
    verdict.seen("the HTTP Date header", &clock.of, clock.said.to_string())
}

/// A chain that somebody presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Who: `host:port`, or a file.
    pub of: String,
    /// Why it is not trusted; nothing when it is.
    pub distrust: Option<String>,
    /// Whether clients know it by its fingerprint and need not trust it otherwise.
    pub pinned: bool,
    /// When the first of its certificates ends.
    pub ends: Timestamp,
}

/// What was presented, or why nothing was.
pub type Presented = Result<Chain, (String, String)>;

const SOON_DAYS: i64 = 14;

/// Whether certificates are trusted and last.
pub fn certificates(chains: &[Presented], now: Timestamp) -> Verdict {
    let each = chains.iter().map(|chain| match chain {
        Ok(chain) => certificate(chain, now),
        Err((of, why)) => {
            Verdict::unknown(format!("{of} showed no certificate: {why}")).seen("a TLS handshake", of, why)
        }
    });
    Verdict::all(each, || Verdict::skip("nothing here is served over TLS"))
}

fn certificate(chain: &Chain, now: Timestamp) -> Verdict {
    let of = &chain.of;
    let days = (chain.ends.as_second() - now.as_second()).div_euclid(86_400);
    let day = chain.ends.to_string();
    let day = day.split('T').next().unwrap_or_default();
    let renew = "renew it, and see why that did not happen by itself";
    let verdict = match (&chain.distrust, days) {
        (_, d) if d < 0 => Verdict::fail(format!("the certificate of {of} ended on {day}")).fix(renew),
        (Some(why), _) if !chain.pinned => {
            Verdict::fail(format!("clients do not trust the certificate of {of}: {why}"))
                .fix("serve the whole chain of a public authority, leaf first, for exactly this name")
        }
        (_, d) if d < SOON_DAYS => {
            Verdict::warn(format!("the certificate of {of} ends in {d} days")).fix(renew)
        }
        _ => Verdict::pass(format!("the certificate of {of} lasts until {day}")),
    };
    let said = match (&chain.distrust, chain.pinned) {
        (None, _) => format!("trusted, until {day}"),
        (Some(_), true) => format!("known to clients by its fingerprint, until {day}"),
        (Some(why), false) => format!("{why}; until {day}"),
    };
    verdict.seen("a TLS handshake", of, said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_backend_in_the_clear_beside_its_proxy_fails() {
        let bound = |url: &str, plain, configured| bind(&Bind { url: url.into(), plain, configured }).state();
        let tried = |p| vec![("192.0.2.1:8085".to_owned(), p)];
        assert_eq!(bound("https://vpn.example", tried(Plain::Control), None), State::Fail);
        assert_eq!(bound("https://vpn.example", tried(Plain::Metrics), None), State::Fail);
        assert_eq!(bound("https://vpn.example", tried(Plain::Silent), None), State::Pass);
        assert_eq!(bound("https://vpn.example", tried(Plain::Nothing), None), State::Pass);
        assert_eq!(
            bound("https://vpn.example", Vec::new(), Some(("0.0.0.0:8085".into(), false))),
            State::Fail
        );
        assert_eq!(
            bound("https://vpn.example", Vec::new(), Some(("127.0.0.1:8085".into(), false))),
            State::Pass
        );
        assert_eq!(bound("http://127.0.0.1:8080", tried(Plain::Control), None), State::Pass);
        assert_eq!(bound("http://192.0.2.1:8080", tried(Plain::Control), None), State::Warn);
    }

    #[test]
    fn clocks_agree_within_what_a_whole_second_shows() {
        let state = |said| {
            clock(&Clock { of: "x".into(), before: at(1000), said: at(said), after: at(1002) }).state()
        };
        for (said, wanted) in [
            (999, State::Pass),
            (1002, State::Pass),
            (1007, State::Pass),
            (1008, State::Warn),
            (1063, State::Fail),
            (993, State::Warn),
            (900, State::Fail),
        ] {
            assert_eq!(state(said), wanted, "{said}");
        }
    }

    #[test]
    fn certificates_are_trusted_and_last() {
        let chain = |days: i64, distrust: Option<&str>, pinned| {
            let chain =
                Chain { of: "x".into(), distrust: distrust.map(Into::into), pinned, ends: at(days * 86_400) };
            certificates(&[Ok(chain)], at(0)).state()
        };
        assert_eq!(chain(60, None, false), State::Pass);
        assert_eq!(chain(13, None, false), State::Warn);
        assert_eq!(chain(-1, None, false), State::Fail);
        assert_eq!(chain(60, Some("self-signed"), false), State::Fail);
        assert_eq!(chain(60, Some("self-signed"), true), State::Pass);
        assert_eq!(chain(-1, Some("self-signed"), true), State::Fail);
        assert_eq!(certificates(&[Err(("x".into(), "refused".into()))], at(0)).state(), State::Unknown);
        assert_eq!(certificates(&[], at(0)).state(), State::Skip);
    }
}
