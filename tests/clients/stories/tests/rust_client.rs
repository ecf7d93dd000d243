//! The official Rust client joins over verified TLS, with a key and let in by a person, holds its map, talks to Rust and Go
//! peers, hears of names and deletions, and is itself again after a restart of the server.
#![cfg(test)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use client_stories::{POLICY, ROLES};
use lab::{Clients, Lab, Pong, Server, Tailscaled, server_binary, until};
use serde_json::Value;

use crate::authority::{Authority, URL};
use crate::peer::RustPeer;

#[path = "rust_client/authority.rs"]
mod authority;
#[path = "rust_client/peer.rs"]
mod peer;

/// What version 0.6 of the client does not do. The stories of the Go client alone speak for these.
const NOT_SUPPORTED: [(&str, &str); 14] = [
    ("TUN device", "it has a network stack of its own; only the process that holds it is in the mesh"),
    ("ICMP", "no answer to echo requests, inside the tunnel or as a relayed `tailscale ping`"),
    ("MagicDNS", "names are found through its own calls, no resolver is served or used"),
    ("subnet routes and exit nodes", "neither offered nor taken"),
    ("Tailscale SSH", "no server"),
    ("Taildrop", "no files"),
    ("key rotation", "an expired key ends it"),
    ("logout", "no call for it; a node goes by expiry, deletion or as ephemeral"),
    ("tailnet lock", "signatures are carried, not checked"),
    ("connection tracking", "an answer to what it opened passes only if a rule lets the peer open it too"),
    ("direct paths between two NATs", "it offers the addresses of its interfaces alone"),
    ("a direct path that lasts", "it falls back to the relay every few seconds, and returns"),
    (
        "an outage of the server",
        "five dials at once, then it stops for good; its process starts again on the same keys",
    ),
    ("an outage of the relay alone", "a relay connection that ended is not made again"),
];

/// A member that is gone when it disconnects.
const VISITOR: &str = "  - name: visitor\n    tags: [tag:member]\n    key: {ephemeral: true}\n";

#[test]
fn rust_clients_share_a_mesh_with_a_go_client() {
    eprintln!("not shown with the Rust client:");
    for (what, why) in NOT_SUPPORTED {
        eprintln!("  {what}: {why}");
    }
    let lab = Lab::start().unwrap();
    story(&lab).unwrap();
}

fn story(lab: &Lab) -> Result<()> {
    let srv = lab.host("srv")?;
    let (ours, theirs) = (Authority::new(srv, "ours")?, Authority::new(srv, "theirs")?);
    let mut server = Server::start(srv, &server_binary()?)?;
    server.set_policy(POLICY)?;
    server.apply_roles(&format!("{ROLES}{VISITOR}"))?;
    ours.secure(&mut server, srv)?;

    trusts_nobody_else(lab, &server, &theirs)?;

    let mut near = join(lab, &server, &ours, "c1", "near", "member")?;
    let mut far = join(lab, &server, &ours, "c4", "far", "member")?;
    let go = join_go(lab, &server, &ours)?;
    let mut on_go = RustPeer::kernel(lab.host("c2")?)?;
    near.retell_network("192.168.1.11/24")?;
    for peer in [&mut near, &mut far, &mut on_go] {
        peer.serve(7)?;
    }

    everyone_reaches_everyone(&mut near, &mut far, &mut on_go, &go)?;
    ensure!(lab.dropped_udp()? > 0, "the firewall before far had no UDP to drop, so nothing was proven");
    goes_directly(lab, &mut near, "go")?;
    let pong = go.ping("near", true)?;
    ensure!(matches!(pong, Pong::Direct(_)), "go reaches near by {pong:?}");

    a_third_comes_and_goes(lab, &server, &ours, &mut near)?;
    ensure!(near.runs()? && far.runs()?, "a client ended while others came and went");

    let before = identities(&server)?;
    server.stop(Duration::from_secs(20))?;
    server.start_again()?;
    for peer in [&mut near, &mut far] {
        peer.await_gone()?;
        peer.start_again()?;
        peer.serve(7)?;
    }
    until(Duration::from_secs(60), "go to be back", || {
        Ok((server.node("go")?["online"] == true).then_some(()))
    })?;
    everyone_reaches_everyone(&mut near, &mut far, &mut on_go, &go)?;
    let after = identities(&server)?;
    ensure!(after == before, "the restart changed {before:?}\ninto {after:?}");
    waits_and_is_let_in(lab, &server, &ours, &mut near)?;
    hears_of_another_name_and_of_a_deletion(&server, &mut near)
}

/// Without a key the client shows a page. Somebody lets it in, and from its next start on it is a member.
fn waits_and_is_let_in(
    lab: &Lab,
    server: &Server<'_>,
    ours: &Authority,
    near: &mut RustPeer<'_>,
) -> Result<()> {
    let mut guest = RustPeer::without_key(lab.host("c3")?, "guest", URL, &ours.roots())?;
    let page = guest.page()?;
    ensure!(server.node("guest").is_err(), "it is in before anybody has let it in");
    server.meshctl(&["node", "approve", &page, "--role", "member"])?;
    guest.start_again()?;
    near.find("guest").map(drop)
}

/// Within seconds: the peer by its new name, nobody by the old one, and then nobody by either.
fn hears_of_another_name_and_of_a_deletion(server: &Server<'_>, near: &mut RustPeer<'_>) -> Result<()> {
    let begun = Instant::now();
    server.meshctl(&["node", "rename", "far", "farther"])?;
    near.find("farther")?;
    near.forgets("far")?;
    println!("a rename is known to the Rust client after {:?}", begun.elapsed());
    let begun = Instant::now();
    server.meshctl(&["node", "delete", "farther"])?;
    near.forgets("farther")?;
    println!("a deletion is known to the Rust client after {:?}", begun.elapsed());
    ensure!(near.runs()?, "the client ended");
    Ok(())
}

/// A client that trusts another authority does not even ask to join.
fn trusts_nobody_else(lab: &Lab, server: &Server<'_>, theirs: &Authority) -> Result<()> {
    let key = server.create_key("member", "doubter")?;
    let mut doubter = RustPeer::begin(lab.host("c1")?, "doubter", URL, &theirs.roots(), &key, 5)?;
    doubter.await_gone()?;
    ensure!(server.nodes()?.is_empty(), "a client joined a server that it has no reason to trust");
    Ok(())
}

fn join<'lab>(
    lab: &'lab Lab,
    server: &Server<'_>,
    ours: &Authority,
    host: &str,
    name: &str,
    role: &str,
) -> Result<RustPeer<'lab>> {
    let key = server.create_key(role, name)?;
    RustPeer::join(lab.host(host)?, name, URL, &ours.roots(), &key)
}

fn join_go<'lab>(lab: &'lab Lab, server: &Server<'_>, ours: &Authority) -> Result<Tailscaled<'lab>> {
    let host = lab.host("c2")?;
    ours.trusted_by(host)?;
    let key = server.create_key("member", "go")?;
    let go = Tailscaled::start(host, &Clients::find()?)?;
    go.up(URL, &key, "go", &[])?;
    Ok(go)
}

/// Both transports, both address families, in all directions. Whatever far takes part in goes through the relay.
fn everyone_reaches_everyone(
    near: &mut RustPeer<'_>,
    far: &mut RustPeer<'_>,
    on_go: &mut RustPeer<'_>,
    go: &Tailscaled<'_>,
) -> Result<()> {
    for to in ["far", "go"] {
        reaches(near, to)?;
    }
    for to in ["near", "go"] {
        reaches(far, to)?;
    }
    for to in ["near", "far"] {
        let peer = go.peer(to)?;
        let addresses = peer["TailscaleIPs"].as_array().context("a peer without addresses")?;
        for address in addresses.iter().filter_map(Value::as_str) {
            echoes(on_go, address)?;
        }
    }
    Ok(())
}

fn reaches(from: &mut RustPeer<'_>, to: &str) -> Result<()> {
    let peer = from.find(to)?;
    echoes(from, peer["ipv6"].as_str().context("a peer without ipv6")?)?;
    // by name, which is its IPv4 address
    echoes(from, to)
}

fn echoes(from: &mut RustPeer<'_>, to: &str) -> Result<()> {
    from.dial("tcp", to, 7, 5)?;
    from.dial("udp", to, 7, 20)
}

/// The relay is reached by TCP alone, so a large datagram has come directly.
const COUNT_LARGE_UDP: &str = "table inet seen { chain input { type filter hook input priority filter; \
                               iifname eth0 udp length > 1000 counter; }; }";

/// Echoes until a whole try has come to c2 directly. The client looks for a path while it sends.
fn goes_directly(lab: &Lab, near: &mut RustPeer<'_>, to: &str) -> Result<()> {
    const TRY: u64 = 20 * 1000;
    let c2 = lab.host("c2")?;
    c2.feed(&["nft", "-f", "-"], COUNT_LARGE_UDP)?;
    let direct = until(Duration::from_secs(60), &format!("a direct path from near to {to}"), || {
        let before = seen(c2)?;
        near.dial("udp", to, 7, 20)?;
        let came = seen(c2)? - before;
        if came < TRY {
            bail!("{came} bytes came directly");
        }
        Ok(Some(()))
    });
    c2.exec(&["nft", "delete", "table", "inet", "seen"])?;
    direct
}

fn seen(host: &lab::Host) -> Result<u64> {
    let rules = host.exec(&["nft", "list", "table", "inet", "seen"])?.stdout;
    let bytes = rules.split(" bytes ").nth(1).and_then(|rest| rest.split_whitespace().next());
    bytes.context("no counter")?.parse().context("no number")
}

/// A node joins, is found at once by name and directly, leaves and is forgotten; near sees both without a new start.
fn a_third_comes_and_goes(
    lab: &Lab,
    server: &Server<'_>,
    ours: &Authority,
    near: &mut RustPeer<'_>,
) -> Result<()> {
    near.ask("watch third")?;
    let mut third = join(lab, server, ours, "c2", "third", "visitor")?;
    third.retell_network("192.168.1.12/24")?;
    third.serve(7)?;
    near.find("third")?;
    near.dial("tcp", "third", 7, 5)?;
    goes_directly(lab, near, "third")?;
    third.quit()?;
    until(Duration::from_secs(30), "near to forget third", || {
        let watched = near.watched("third")?;
        ensure!(watched.iter().any(|peer| !peer.is_null()), "near was never told of third");
        Ok(watched.last().is_some_and(Value::is_null).then_some(()))
    })?;
    near.dial("udp", "far", 7, 5)
}

/// What a restart must not touch, by node.
fn identities(server: &Server<'_>) -> Result<BTreeMap<String, Value>> {
    let mut identities = BTreeMap::new();
    for node in server.nodes()? {
        let name = node["name"].as_str().context("a node without name")?;
        for field in ["id", "ipv4", "ipv6", "created", "machine_key", "node_key"] {
            identities.insert(format!("{name} {field}"), node[field].clone());
        }
    }
    Ok(identities)
}
