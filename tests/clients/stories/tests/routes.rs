//! A network behind routers and the way out through an exit node, as official clients use them; and what happens when the
//! router in use dies with a word or without one.
#![cfg(test)]

use std::{
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use anyhow::bail;
use client_stories::Mesh;
use lab::{Lab, until};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(30);
/// The network of the first router, where `c1` and `c2` are, and its gateway, which has no client.
const OFFICE: &str = "192.168.1.0/24";
const PRINTER: &str = "192.168.1.1";
/// Somewhere on the internet; the server's host has it beside its own address, which is a private one.
const FAR: &str = "198.51.100.10";
const POLICY: &str = r#"{
    "tagOwners": {"tag:member": [], "tag:worker": [], "tag:guest": []},
    "acls": [{"action": "accept", "src": ["tag:member"], "dst": ["192.168.1.0/24:*", "autogroup:internet:*"]}],
    "autoApprovers": {"routes": {"192.168.1.0/24": ["tag:guest"]}, "exitNode": ["tag:guest"]},
}"#;

/// Routers on these hosts of the office, and a member on `c3` that takes routes.
fn office<'lab>(lab: &'lab Lab, routers: &[&str]) -> Mesh<'lab> {
    let mut mesh = Mesh::start(lab).unwrap();
    mesh.server.set_policy(POLICY).unwrap();
    for router in routers {
        let forward = "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding";
        lab.host(router).unwrap().exec(&["sh", "-c", forward]).unwrap();
    }
    mesh.join("guest", routers).unwrap();
    mesh.join("member", &["c3"]).unwrap();
    set(&mesh, "c3", "--accept-routes");
    mesh
}

fn set(mesh: &Mesh<'_>, host: &str, flag: &str) {
    mesh.client(host).unwrap().tailscale(&["set", flag], PATIENCE).unwrap().ok().unwrap();
}

fn offers(mesh: &Mesh<'_>, router: &str) {
    set(mesh, router, &format!("--advertise-routes={OFFICE}"));
    let offered = || {
        let routes = mesh.server.meshctl(&["route", "list"])?;
        let routes = routes["routes"].as_array().into_iter().flatten();
        let found = routes.filter(|r| r["node"] == router).any(|r| r["approved"] == true);
        Ok(found.then_some(()))
    };
    until(PATIENCE, &format!("the routes of {router}"), offered).unwrap();
}

/// Waits until the server says this of a router of the office.
fn stands(mesh: &Mesh<'_>, router: &str, state: &str) {
    until(PATIENCE, &format!("{router} to be {state}"), || {
        let routes = mesh.server.meshctl(&["route", "list"])?;
        let routes = routes["routes"].as_array().into_iter().flatten();
        let found = routes.filter(|r| r["node"] == router).any(|r| r["state"] == state);
        if !found {
            bail!("{}", mesh.server.meshctl(&["route", "list"])?);
        }
        Ok(Some(()))
    })
    .unwrap();
}

/// How long it takes until an echo request from the member to the office is answered.
fn reached_after(mesh: &Mesh<'_>, since: Instant) -> Duration {
    let member = mesh.lab.host("c3").unwrap();
    until(PATIENCE, "the office to be reached", || {
        let echo = member.try_exec(&["ping", "-n", "-c", "1", "-W", "0.3", PRINTER], PATIENCE)?;
        Ok(echo.success().then(|| since.elapsed()))
    })
    .unwrap()
}

/// Cuts a client off from all but its own network, without a word to anybody, or lets it talk again.
fn cut(lab: &Lab, address: &str, so: bool) {
    let rules = match so {
        true => format!(
            "table inet cut {{ chain f {{ type filter hook forward priority -10; \
             ip saddr {address} drop; ip daddr {address} drop; }}\n}}"
        ),
        false => "delete table inet cut".to_owned(),
    };
    lab.host("r1").unwrap().feed(&["nft", "-f", "-"], &rules).unwrap();
}

#[test]
fn a_network_behind_a_router_is_reached_from_elsewhere() {
    let lab = Lab::start().unwrap();
    let mesh = office(&lab, &["c1"]);
    assert!(mesh.is_cut_off("c3", PRINTER).unwrap(), "nobody offers it");
    offers(&mesh, "c1");
    reached_after(&mesh, Instant::now());
    assert_eq!(mesh.client("c3").unwrap().peer("c1").unwrap()["PrimaryRoutes"], json!([OFFICE]));

    set(&mesh, "c1", "--advertise-routes=");
    assert!(mesh.is_cut_off("c3", PRINTER).unwrap());
}

#[test]
fn when_the_router_in_use_is_killed_the_other_serves() {
    let lab = Lab::start().unwrap();
    let mut mesh = office(&lab, &["c1", "c2"]);
    offers(&mesh, "c1");
    offers(&mesh, "c2");
    stands(&mesh, "c1", "serving");
    stands(&mesh, "c2", "standby");
    reached_after(&mesh, Instant::now());

    mesh.client_mut("c1").unwrap().kill().unwrap();
    let took = reached_after(&mesh, Instant::now());
    println!("the router was killed: reached by the other after {:.1} s", took.as_secs_f64());
    assert!(took < Duration::from_secs(8), "{took:?}");
    stands(&mesh, "c2", "serving");

    mesh.client_mut("c1").unwrap().start_again().unwrap();
    stands(&mesh, "c1", "standby");
    stands(&mesh, "c2", "serving");
}

#[test]
fn when_the_router_in_use_dies_without_a_word_the_other_serves() {
    let lab = Lab::start().unwrap();
    let mesh = office(&lab, &["c1", "c2"]);
    offers(&mesh, "c1");
    offers(&mesh, "c2");
    stands(&mesh, "c1", "serving");
    stands(&mesh, "c2", "standby");
    reached_after(&mesh, Instant::now());
    let pong = mesh.server.meshctl(&["node", "ping", "c1"]).unwrap();
    assert_eq!(pong["answers"][0]["name"], "c1");

    cut(&lab, "192.168.1.11", true);
    let took = reached_after(&mesh, Instant::now());
    println!("the router fell silent: reached by the other after {:.1} s", took.as_secs_f64());
    let first = mesh.server.node("c1").unwrap();
    assert_eq!(first["online"], true, "its connection is not known to be dead");

    cut(&lab, "192.168.1.11", false);
    stands(&mesh, "c1", "standby");
    stands(&mesh, "c2", "serving");
}

#[test]
fn the_internet_is_reached_through_an_exit_node() {
    let lab = Lab::start().unwrap();
    let mesh = office(&lab, &["c1"]);
    lab.host("srv").unwrap().exec(&["ip", "address", "add", &format!("{FAR}/32"), "dev", "lo"]).unwrap();
    for router in ["r1", "r2"] {
        lab.host(router).unwrap().exec(&["ip", "route", "add", FAR, "via", "172.30.0.10"]).unwrap();
    }
    let far: SocketAddr = format!("{FAR}:7007").parse().unwrap();
    let listener = lab.host("srv").unwrap().in_network(|| TcpListener::bind(far)).unwrap().unwrap();
    assert_eq!(comes_from(&lab, &listener, far), "172.30.0.2".parse::<IpAddr>().unwrap(), "its own router");

    set(&mesh, "c1", "--advertise-exit-node");
    until(PATIENCE, "an exit node", || {
        let peer = mesh.client("c3")?.peer("c1")?;
        Ok((peer["ExitNodeOption"] == true).then_some(()))
    })
    .unwrap();
    assert_eq!(comes_from(&lab, &listener, far), "172.30.0.2".parse::<IpAddr>().unwrap(), "nobody chose it");
    set(&mesh, "c3", &format!("--exit-node={}", mesh.ipv4("c1").unwrap()));
    assert_eq!(comes_from(&lab, &listener, far), "172.30.0.1".parse::<IpAddr>().unwrap(), "the exit node's");
}

/// The address from which a connection of the member arrives out there.
fn comes_from(lab: &Lab, listener: &TcpListener, far: SocketAddr) -> IpAddr {
    let connect = || TcpStream::connect_timeout(&far, Duration::from_secs(20));
    let _stream = lab.host("c3").unwrap().in_network(connect).unwrap().unwrap();
    listener.accept().unwrap().1.ip()
}
