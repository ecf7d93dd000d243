//! `control.handshake`: how far a client comes, and who stopped it.

use crate::Verdict;

/// How far a client came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The public URL.
    pub url: String,
    /// What was seen on the way: what, of whom, the answer.
    pub steps: Vec<(String, String, String)>,
    /// The server's key, if it was told.
    pub key: Option<String>,
    /// Where it ended; nothing when the channel was open.
    pub stop: Option<Stop>,
}

/// Where a client was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The URL is none.
    Url(String),
    /// The name has no address here.
    Resolve(String),
    /// Nobody listens there.
    Refused(String),
    /// Nobody answered in time, or there is no way there.
    Unreachable(String),
    /// TLS: why.
    Tls(String),
    /// `/key` was answered with something else.
    Key { status: u16, hops: Vec<String>, body: String },
    /// `/ts2021` was answered without an upgrade.
    Upgrade { status: u16, hops: Vec<String>, body: String },
    /// The connection was upgraded, and what came was no channel.
    Noise(String),
}

/// What a server of ours says when a request came without its `Upgrade` header.
const WITHOUT_UPGRADE: &str = "missing or unknown Upgrade header";

/// `expected` is the key that clients hold; `direct` the same attempt at the server itself, without its proxy.
pub fn handshake(attempt: &Attempt, expected: Option<&str>, direct: Option<&Attempt>) -> Verdict {
    let verdict = match &attempt.stop {
        None => reached(attempt, expected),
        Some(stop) => stopped(attempt, stop, direct),
    };
    let steps = attempt.steps.iter().chain(direct.into_iter().flat_map(|d| &d.steps));
    steps.fold(verdict, |verdict, (asked, of, answer)| verdict.seen(asked, of, answer))
}

fn reached(attempt: &Attempt, expected: Option<&str>) -> Verdict {
    let url = &attempt.url;
    match (expected, attempt.key.as_deref()) {
        (Some(expected), Some(key)) if expected != key => {
            Verdict::fail(format!("{url} has another Noise key than the one that clients know: {key}, not {expected}"))
                .fix("restore noise.key and the database of the same backup; without one every client must log in again: tailscale up --auth-key=file:KEY")
        }
        (None, Some(_)) => Verdict::pass(format!("a channel opens through {url}")),
        (Some(_), Some(_)) => Verdict::pass(format!("a channel opens through {url}, with the key that clients know")),
        (_, None) => Verdict::unknown(format!("{url} never told its key")),
    }
}

fn stopped(attempt: &Attempt, stop: &Stop, direct: Option<&Attempt>) -> Verdict {
    let url = &attempt.url;
    let host = host(url);
    match stop {
        Stop::Url(why) => Verdict::fail(format!("{url} is no URL that clients can use: {why}"))
            .fix("server_url: https://mesh.example.com"),
        Stop::Resolve(why) => Verdict::fail(format!("{host} has no address here: {why}"))
            .fix(format!("meshctl check --only dns.public-bootstrap --url {url}")),
        Stop::Refused(at) => Verdict::fail(format!("nobody listens at {at}"))
            .fix("systemctl status meshctl; is the port of server_url the one that is published?"),
        Stop::Unreachable(why) => Verdict::fail(format!("{url} does not answer: {why}"))
            .fix("look at the firewall and the address of the name"),
        Stop::Tls(why) => Verdict::fail(format!("TLS with {host} fails: {why}"))
            .fix(format!("openssl s_client -connect {host}:443 -servername {host} </dev/null")),
        Stop::Key { status, hops, body } => {
            let who = hop(hops).unwrap_or_else(|| format!("whoever is at {host}"));
            Verdict::fail(format!("{who} answers /key with {status}, not with a server's key{}", quoted(body)))
                .fix("pass every path of the control host on to the server: location / { proxy_pass http://127.0.0.1:8080; }")
        }
        Stop::Upgrade { status, hops, body } => upgrade(host, *status, hops, body, direct),
        Stop::Noise(why) => {
            Verdict::fail(format!("{url} upgrades the connection, and then there is no channel: {why}"))
                .fix("no proxy may rewrite or buffer /ts2021: proxy_buffering off; proxy_http_version 1.1;")
        }
    }
}

fn upgrade(host: &str, status: u16, hops: &[String], body: &str, direct: Option<&Attempt>) -> Verdict {
    let fix = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;";
    let named = hop(hops);
    let beyond = direct.is_some_and(|d| d.stop.is_none());
    let arrived = body.contains(WITHOUT_UPGRADE);
    let who = match (named, arrived, beyond) {
        (Some(hop), _, _) => hop,
        (None, true, _) => {
            format!("a proxy between here and the server that does not name itself (first hop: {host})")
        }
        (None, false, true) => format!("the proxy at {host}"),
        (None, false, false) => format!("whoever is at {host}"),
    };
    let what = match (arrived, beyond) {
        (true, _) => {
            "strips the upgrade: the request reaches the server without its Upgrade header".to_owned()
        }
        (false, true) => format!("does not upgrade the connection ({status}), while the server itself does"),
        (false, false) => format!("answers the upgrade with {status}{}", quoted(body)),
    };
    Verdict::fail(format!("{who} {what}")).fix(fix)
}

/// The hop that names itself: the one nearest to the server that says so in `Via`, or else the one that answered.
fn hop(hops: &[String]) -> Option<String> {
    hops.first().cloned()
}

fn quoted(body: &str) -> String {
    let line = body.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        String::new()
    } else {
        format!(": \"{}\"", line.chars().take(60).collect::<String>())
    }
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn attempt(stop: Option<Stop>) -> Attempt {
        let steps = vec![("GET /key".into(), "192.0.2.1:443".into(), "200".into())];
        Attempt { url: "https://vpn.example.com".into(), steps, key: Some("mkey:aa".into()), stop }
    }
    fn summary(stop: Stop, direct: Option<&Attempt>) -> String {
        let verdict = handshake(&attempt(Some(stop)), None, direct);
        assert_eq!(verdict.state(), State::Fail);
        assert!(verdict.worst().unwrap().fix.is_some());
        verdict.summary()
    }
    fn upgrade(hops: &[&str], body: &str) -> Stop {
        Stop::Upgrade { status: 400, hops: hops.iter().map(ToString::to_string).collect(), body: body.into() }
    }

    #[test]
    fn an_open_channel_with_the_known_key_passes() {
        assert_eq!(handshake(&attempt(None), Some("mkey:aa"), None).state(), State::Pass);
        assert_eq!(handshake(&attempt(None), None, None).evidence.len(), 1);
    }

    #[test]
    fn another_key_is_a_reset() {
        let verdict = handshake(&attempt(None), Some("mkey:bb"), None);
        assert_eq!(verdict.state(), State::Fail);
        assert!(verdict.summary().contains("another Noise key"), "{}", verdict.summary());
    }

    #[test]
    fn a_key_that_was_never_told_is_unknown() {
        let verdict = handshake(&Attempt { key: None, ..attempt(None) }, Some("mkey:aa"), None);
        assert_eq!(verdict.state(), State::Unknown);
    }

    #[test]
    fn the_hop_that_strips_the_upgrade_is_named() {
        let stripped = "missing or unknown Upgrade header\n";
        assert_eq!(
            summary(upgrade(&["nginx/1.24.0"], stripped), None),
            "nginx/1.24.0 strips the upgrade: the request reaches the server without its Upgrade header"
        );
        assert!(summary(upgrade(&[], stripped), None).starts_with("a proxy between here and the server"));
        let well = attempt(None);
        assert!(
            summary(upgrade(&[], "bad request"), Some(&well)).starts_with("the proxy at vpn.example.com")
        );
        assert!(
            summary(upgrade(&["cloudflare"], "<html>"), None)
                .contains("cloudflare answers the upgrade with 400")
        );
    }

    #[test]
    fn every_stop_says_where() {
        for (stop, word) in [
            (Stop::Url("x".into()), "no URL"),
            (Stop::Resolve("NXDOMAIN".into()), "no address"),
            (Stop::Refused("192.0.2.1:443".into()), "nobody listens"),
            (Stop::Unreachable("5 s".into()), "does not answer"),
            (Stop::Tls("expired".into()), "TLS"),
            (Stop::Key { status: 404, hops: Vec::new(), body: "Not Found".into() }, "/key with 404"),
            (Stop::Noise("closed".into()), "no channel"),
        ] {
            assert!(summary(stop, None).contains(word), "{word}");
        }
    }
}
