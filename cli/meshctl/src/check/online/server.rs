//! The server itself: does it answer, to whom, with which certificates, at what time.

use std::net::SocketAddr;

use futures_util::future::join_all;
use readiness::{
    Verdict,
    check::{
        control,
        relay::{self, Derp, StunPlan},
        server::{self, Bind, Chain, Clock, Plain, Presented},
    },
};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{
    check::facts::Facts,
    probe::{self, tls},
    talk::Client,
};

/// Where servers are often left open beside their proxy.
const PLAIN_PORTS: [u16; 4] = [8080, 8085, 9090, 50443];

/// `server.answers`.
pub async fn answers(facts: &Facts<'_>) -> Verdict {
    match facts.answer().await {
        Ok(status) => {
            let warnings =
                status.warnings.iter().map(|w| Verdict::warn(w.clone()).fix("meshctl server status"));
            let verdict = Verdict::pass(format!("version {} of {}", status.version, status.server_url));
            warnings.fold(verdict, Verdict::and).seen("its status", &status.server_url, "an answer")
        }
        Err(e) if e.code == "no_server" || e.code == "usage" => {
            Verdict::unknown(e.detail.clone()).fix("meshctl check --server URL --api-key-file FILE")
        }
        Err(e) if e.code == api::code::UNAUTHORIZED => {
            Verdict::fail(format!("the server does not take the API key: {}", e.detail))
                .fix("meshctl apikey create --out FILE   # on the server's machine")
        }
        Err(e) => Verdict::fail(e.detail.clone())
            .fix(e.hint.clone().unwrap_or_else(|| "systemctl status meshctl".into())),
    }
}

/// `control.handshake`.
pub async fn handshake(facts: &Facts<'_>) -> Verdict {
    let Some(way) = facts.way().await else { return no_url() };
    let direct = match (&facts.inputs.direct, &way.attempt.stop) {
        (Some(url), Some(_)) => Some(probe::control::go(url, &facts.trust).await.attempt),
        _ => None,
    };
    let status = facts.answer().await.as_ref().ok();
    let told = status.map(|status| status.public_key.to_string());
    // A client that knows the key before is served too.
    let before = status.and_then(|status| status.previous_key).map(|key| key.to_string());
    let remembered =
        facts.memory.as_ref().map(|m| m.public_key.clone()).filter(|key| before.as_ref() != Some(key));
    control::handshake(&way.attempt, remembered.or(told).as_deref(), direct.as_ref())
}

/// `clock.skew`.
pub async fn clock(facts: &Facts<'_>) -> Verdict {
    let Some(way) = facts.way().await else { return no_url() };
    match (way.clock, &way.place) {
        (Some((before, said, after)), Some((host, _))) => {
            server::clock(&Clock { of: host.clone(), before, said, after })
        }
        _ => Verdict::unknown("the server named no time"),
    }
}

/// `certificates.expiry`.
pub async fn certificates(facts: &Facts<'_>) -> Verdict {
    let mut chains = Vec::new();
    if let Some(way) = facts.way().await
        && way.attempt.url.starts_with("https://")
        && let Some((host, port)) = &way.place
    {
        chains.push(chain(&format!("{host}:{port}"), way.presented.as_ref(), false));
    }
    if let Ok(status) = facts.status().await
        && let Some(relay) = &status.relay
    {
        let (_, presented) = probe::derp::ask(&relay.host, relay.derp_port, &facts.trust).await;
        chains.push(chain(&format!("{}:{}", relay.host, relay.derp_port), presented.as_ref(), true));
    }
    server::certificates(&chains, facts.context.screen().now)
}

/// A relay with a certificate that it made itself is known to clients by its fingerprint.
fn chain(of: &str, presented: Option<&tls::Presented>, is_relay: bool) -> Presented {
    let of = of.to_owned();
    let Some(presented) = presented.filter(|p| !p.chain.is_empty()) else {
        return Err((of, "there was no TLS handshake".into()));
    };
    let mut ends = jiff::Timestamp::MAX;
    let mut own = false;
    for (number, der) in presented.chain.iter().enumerate() {
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            return Err((of, "it is no X.509".into()));
        };
        let end = jiff::Timestamp::from_second(certificate.validity().not_after.timestamp())
            .unwrap_or(jiff::Timestamp::MAX);
        ends = ends.min(end);
        own |= number == 0 && presented.chain.len() == 1 && certificate.subject() == certificate.issuer();
    }
    Ok(Chain { of, distrust: presented.distrust.clone(), pinned: is_relay && own, ends })
}

/// `server.bind`.
pub async fn bind(facts: &Facts<'_>) -> Verdict {
    let Some(url) = facts.url().await else { return no_url() };
    let Some(way) = facts.way().await else { return no_url() };
    let public = way.addresses.iter().filter(|at| !at.ip().is_loopback() && url.starts_with("https://"));
    let places = public.flat_map(|at| PLAIN_PORTS.map(|port| SocketAddr::new(at.ip(), port))).take(16);
    let plain = join_all(places.map(|at| async move { (at.to_string(), probe::plain::ask(at).await) })).await;
    let configured = match facts.inputs.config.as_deref().map(crate::server::told) {
        Some(Ok(told)) => Some((told.listen, told.tls)),
        _ => None,
    };
    let silent = plain.is_empty() && configured.is_none() && way.addresses.is_empty();
    if silent && url.starts_with("https://") {
        return Verdict::unknown(format!("{url} has no address that could be tried"));
    }
    let plain: Vec<(String, Plain)> = plain;
    server::bind(&Bind { url, plain, configured })
}

/// `stun.answers`.
pub async fn stun(facts: &Facts<'_>) -> Result<Verdict, Verdict> {
    let status = facts.status().await?;
    let plan = match &status.relay {
        None => StunPlan::RelayOff,
        Some(relay) => match relay.stun_port {
            None => StunPlan::StunOff,
            Some(port) => StunPlan::Asked(probe::stun::ask(&relay.host, port).await),
        },
    };
    Ok(relay::stun(&plan))
}

/// `derp.works`.
pub async fn derp(facts: &Facts<'_>) -> Result<Verdict, Verdict> {
    let status = facts.status().await?;
    let Some(own) = &status.relay else { return Ok(relay::derp(&[])) };
    let (answer, presented) = probe::derp::ask(&own.host, own.derp_port, &facts.trust).await;
    let answer = match (answer, presented) {
        (greeted @ Derp::Greeted { .. }, Some(presented)) => as_clients_see(own, greeted, &presented),
        (other, _) => other,
    };
    Ok(relay::derp(&[(format!("{}:{}", own.host, own.derp_port), answer)]))
}

/// A certificate that clients are told of must be exactly that one; any other must be trusted.
fn as_clients_see(own: &api::server::Relay, greeted: Derp, presented: &tls::Presented) -> Derp {
    let Some(expected) = &own.certificate else {
        return presented.distrust.clone().map_or(greeted, Derp::Untrusted);
    };
    let shown = presented.chain.first().map(|der| probe::derp::cert_name(der)).unwrap_or_default();
    if shown.eq_ignore_ascii_case(expected) {
        return greeted;
    }
    Derp::Foreign { expected: expected.clone(), shown }
}

/// `ui.answers`.
pub async fn ui(facts: &Facts<'_>) -> Verdict {
    let Some(url) = &facts.inputs.ui_url else {
        return Verdict::skip("no web interface was named: --ui-url URL");
    };
    match Client::probe(url).await {
        Ok(status @ 200..400) => {
            Verdict::pass(format!("{url} answers")).seen("its page", url, status.to_string())
        }
        Ok(status) => Verdict::fail(format!("{url} answers {status}"))
            .fix("see whether it runs, and meshctl check --only apikey.live")
            .seen("its page", url, status.to_string()),
        Err(why) => Verdict::fail(format!("{url} does not answer: {why}"))
            .fix("see whether it runs")
            .seen("its page", url, why),
    }
}

fn no_url() -> Verdict {
    Verdict::unknown("it is not known which URL clients use").fix("meshctl check --url URL")
}
