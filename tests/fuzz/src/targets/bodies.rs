//! Bodies of requests inside a channel. The first byte says which request it is.

use ident::Secret;
use serde_json::Value;
use wire::{Hostinfo, MapRequest, RegisterRequest};

use super::{Outcome, Target, case::shape, law};
use crate::{Dice, mutate, pool::Pool};

pub struct Bodies;

const KEY: &str = "nodekey:1111111111111111111111111111111111111111111111111111111111111111";
pub(super) const WORDS: [&str; 40] = [
    "Version",
    "NodeKey",
    "OldNodeKey",
    "Auth",
    "AuthKey",
    "Expiry",
    "Followup",
    "Hostinfo",
    "Ephemeral",
    "Stream",
    "OmitPeers",
    "ReadOnly",
    "Compress",
    "zstd",
    "Endpoints",
    "EndpointTypes",
    "DiscoKey",
    "Hostname",
    "RoutableIPs",
    "RequestTags",
    "NetInfo",
    "PreferredDERP",
    "DERPLatency",
    "Services",
    "Proto",
    "Port",
    "Description",
    "Location",
    "sshHostKeys",
    "tag:web",
    KEY,
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "10.0.0.0/8",
    "::/0",
    "192.0.2.1:41641",
    "[fe80::1%eth0]:1",
    "1-v4",
    "peerapi4",
    "é\u{0}\"",
];

pub(super) const SEEDS: [&str; 5] = [
    r#"{"Version":130,"NodeKey":"nodekey:1111111111111111111111111111111111111111111111111111111111111111","Auth":{"AuthKey":"key-1"},"Expiry":"0001-01-01T00:00:00Z","Followup":"","Hostinfo":{"OS":"linux","Hostname":"web"},"Ephemeral":true,"Timestamp":null}"#,
    r#"{"Version":106,"NodeKey":"nodekey:2222222222222222222222222222222222222222222222222222222222222222","OldNodeKey":"nodekey:1111111111111111111111111111111111111111111111111111111111111111","Auth":{"AuthKey":"key-2"},"Hostinfo":{"Hostname":"Alice's MacBook Pro.local","RoutableIPs":["10.1.0.0/16","0.0.0.0/0","::/0"],"RequestTags":["tag:b"],"Services":[{"Proto":"peerapi4","Port":80,"Description":"x"}]}}"#,
    r#"{"Version":130,"NodeKey":"nodekey:1111111111111111111111111111111111111111111111111111111111111111","DiscoKey":"discokey:3333333333333333333333333333333333333333333333333333333333333333","Stream":true,"Compress":"zstd","KeepAlive":true,"Endpoints":["192.0.2.1:41641","[2001:db8::1]:41641"],"EndpointTypes":[1,2]}"#,
    r#"{"Version":130,"NodeKey":"nodekey:1111111111111111111111111111111111111111111111111111111111111111","OmitPeers":true,"Endpoints":["10.0.0.5:41641"],"Hostinfo":{"IPNVersion":"1.90","BackendLogID":"abc","NetInfo":{"PreferredDERP":3,"DERPLatency":{"1-v4":0.0213,"3-v6":1e-7},"FirewallMode":"nft"},"Location":{"Country":"Norway","Latitude":59.91,"Longitude":10.75},"sshHostKeys":["ssh-ed25519 AAAA"],"Userspace":false}}"#,
    r#"{"version":130,"nodekey":"nodekey:1111111111111111111111111111111111111111111111111111111111111111","expiry":"2020-01-01T00:00:00Z","hostinfo":null}"#,
];

impl Target for Bodies {
    fn name(&self) -> &'static str {
        "bodies"
    }
    fn about(&self) -> &'static str {
        "bodies of registrations and map requests"
    }
    fn weight(&self) -> u32 {
        2
    }
    fn longest(&self) -> usize {
        64 << 10
    }
    fn seeds(&self) -> Vec<Vec<u8>> {
        let marked = |kind: u8| SEEDS.iter().map(move |body| [&[kind], body.as_bytes()].concat());
        marked(b'r').chain(marked(b'm')).collect()
    }
    fn next(&self, pool: &Pool, dice: &mut Dice) -> Vec<u8> {
        let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes.get(1..)?).ok();
        let (parent, donor) = (pool.pick(dice), parse(pool.pick(dice)).unwrap_or_default());
        let kind = parent.first().copied().unwrap_or(b'r');
        match parse(parent) {
            Some(body) if !dice.once_in(5) => {
                [&[kind], mutate::altered(body, &donor, &WORDS, dice).to_string().as_bytes()].concat()
            }
            _ => mutate::framed(pool, dice),
        }
    }
    fn run(&self, input: &[u8]) -> Result<Outcome, String> {
        let Some((kind, body)) = input.split_first() else { return Ok(Outcome::of("nothing")) };
        if *kind == b'r' { registration(body) } else { map(body) }
    }
}

fn registration(body: &[u8]) -> Result<Outcome, String> {
    let request = match wire::decode::<RegisterRequest>(body) {
        Ok(request) => request,
        Err(error) => return Ok(Outcome::of(('r', shape(&error.to_string())))),
    };
    law(format!("{request:?}") == format!("{:?}", with_another_key(&request)), || {
        "a debug text depends on the auth key".to_owned()
    })?;
    let sent = request.encode().map_err(|error| error.to_string())?;
    let again =
        wire::decode::<RegisterRequest>(&sent).map_err(|error| format!("is not read back: {error}"))?;
    law(again.node_key == request.node_key && again.expiry == request.expiry, || {
        "is read back as another".to_owned()
    })?;
    let host = request.hostinfo.map(hostinfo).transpose()?;
    Ok(Outcome::of(('r', request.auth.is_some(), request.expiry.is_some(), host)))
}

fn with_another_key(request: &RegisterRequest) -> RegisterRequest {
    let mut other = request.clone();
    if let Some(key) = other.auth.as_mut().and_then(|auth| auth.auth_key.as_mut()) {
        *key = Secret::new("another".to_owned());
    }
    other
}

fn map(body: &[u8]) -> Result<Outcome, String> {
    let request = match wire::decode::<MapRequest>(body) {
        Ok(request) => request,
        Err(error) => return Ok(Outcome::of(('m', shape(&error.to_string())))),
    };
    let endpoints = request.endpoints();
    law(endpoints.len() <= 64, || format!("{} endpoints", endpoints.len()))?;
    let bad = endpoints.iter().find(|e| e.port() == 0 || e.ip().is_unspecified() || e.ip().is_multicast());
    law(bad.is_none(), || format!("nobody can use {bad:?}"))?;
    let flags = (request.wants_zstd(), request.is_lite(), request.stream);
    let host = request.hostinfo.map(hostinfo).transpose()?;
    Ok(Outcome::of(('m', flags, endpoints.len().min(3), host)))
}

/// What the World keeps of it must be bounded and be read back as the same from a database.
fn hostinfo(host: Hostinfo) -> Result<(usize, bool), String> {
    let clean = host.sanitised();
    let json = serde_json::to_string(&clean).map_err(|error| error.to_string())?;
    law(json.len() <= 40 << 10, || format!("{} bytes of host information are kept", json.len()))?;
    let again: Hostinfo =
        serde_json::from_str(&json).map_err(|error| format!("is not read back: {error} in {json}"))?;
    law(again == clean, || format!("{json} is read back as another"))?;
    law(clean.clone().sanitised() == clean, || format!("{json} is cleaned twice"))?;
    law(!json.contains('\\'), || format!("an escape in {json}"))?;
    let sent = wire::encode(&clean).map_err(|error| format!("cannot be sent: {error}"))?;
    law(!sent.is_empty(), || "nothing is sent".to_owned())?;
    Ok((clean.routable_ips.len().min(3), clean.net_info.is_some()))
}
