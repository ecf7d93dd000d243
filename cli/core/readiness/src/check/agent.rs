//! What the agent on a node judges of its own machine, and what a server's operator judges of agents.

pub mod recovery;
mod silence;

use jiff::Timestamp;

use crate::Verdict;
pub use silence::{Agent, healthy};

/// The client's word about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// `Running`, `NeedsLogin`, `Stopped`.
    pub backend: String,
    /// Whether it holds a connection to the server.
    pub online: bool,
    /// Its addresses in the mesh.
    pub addresses: Vec<String>,
    /// Whether it has an interface of the kernel; without one its programs go through a proxy.
    pub interface: bool,
}

/// Whether the machine's own tunnel is up.
pub fn tunnel(client: Result<&Client, &str>) -> Verdict {
    let client = match client {
        Ok(client) => client,
        Err(why) => {
            return Verdict::fail(format!("the client does not answer: {why}"))
                .fix("systemctl start tailscaled");
        }
    };
    let verdict = match (client.backend.as_str(), client.online, client.addresses.is_empty()) {
        ("Running", true, false) => Verdict::pass("the tunnel is up"),
        ("Running", true, true) => Verdict::fail("the tunnel is up and has no address"),
        ("Running", false, _) => Verdict::fail("the client holds no connection to its server")
            .fix("meshctl check --only control.handshake --url URL"),
        ("NeedsLogin", ..) => {
            Verdict::fail("the client is not logged in: the server does not know this node, or no longer")
                .fix("tailscale up --login-server=URL --auth-key=file:KEY")
        }
        ("Stopped", ..) => Verdict::fail("the client was switched off").fix("tailscale up"),
        ("Starting", ..) => Verdict::unknown("the client is starting"),
        (other, ..) => Verdict::unknown(format!("the client is in the state {other:?}")),
    };
    verdict.seen("its state", "tailscaled", format!("{} {}", client.backend, client.addresses.join(" ")))
}

/// How names of the mesh are resolved on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeshDns {
    /// The mesh has no names.
    Off,
    /// This machine does not resolve names through the mesh, by its user's wish.
    NotTaken,
    /// There is no interface over which the resolver of the mesh could be asked.
    NoInterface,
    /// It was asked for the machine's own name, which has these addresses.
    Asked { name: String, expected: Vec<String>, answer: Result<Vec<String>, String> },
}

/// Whether names are resolved through the mesh.
pub fn mesh_dns(dns: &MeshDns) -> Verdict {
    let (name, expected, answer) = match dns {
        MeshDns::Off => return Verdict::skip("the mesh has no names"),
        MeshDns::NotTaken => {
            return Verdict::skip("this machine takes no names of the mesh (accept-dns is off)");
        }
        MeshDns::NoInterface => return Verdict::skip("the client has no interface, so no resolver on it"),
        MeshDns::Asked { name, expected, answer } => (name, expected, answer),
    };
    let fix = "tailscale dns status   # and: is UDP 53 of 100.100.100.100 filtered on this machine?";
    let (verdict, said) = match answer {
        Ok(found) if found.iter().any(|ip| expected.contains(ip)) => {
            (Verdict::pass(format!("{name} is resolved through the mesh")), found.join(" "))
        }
        Ok(found) => {
            let said = if found.is_empty() { "no address".to_owned() } else { found.join(" ") };
            (
                Verdict::fail(format!(
                    "{name} is resolved through the mesh to {said}, which is not this machine"
                )),
                said,
            )
        }
        Err(why) => {
            (Verdict::fail(format!("{name} is not resolved through the mesh: {why}")).fix(fix), why.clone())
        }
    };
    verdict.seen(format!("A {name}"), "100.100.100.100:53", said)
}

/// Whether the server's name is found outside the mesh; nothing when it is an address.
pub fn outside_dns(host: Option<&str>, found: Result<&[String], &str>) -> Verdict {
    let Some(host) = host else { return Verdict::skip("the server has no name, only an address") };
    let verdict = match found {
        Ok([]) => Verdict::fail(format!("{host} has no address for this machine")),
        Ok(_) => Verdict::pass(format!("{host} is found")),
        Err(why) => Verdict::fail(format!("{host} is not found by this machine: {why}")),
    };
    let verdict = match verdict.state() {
        crate::State::Pass => verdict,
        _ => verdict.fix("meshctl check --only dns.public-bootstrap --only dns.split-excludes-bootstrap"),
    };
    let said = found.map_or_else(str::to_owned, |all| all.join(" "));
    verdict.seen(format!("addresses of {host}"), "this machine's resolver", said)
}

const DAY: i64 = 86_400;
const SOON_DAYS: i64 = 14;

/// Whether the node's own key lasts.
pub fn key(expires: Option<Timestamp>, now: Timestamp) -> Verdict {
    let fix = "tailscale up --force-reauth --auth-key=file:KEY";
    let Some(expires) = expires else { return Verdict::pass("this node's key does not expire") };
    let left = expires.as_second() - now.as_second();
    let verdict = match left {
        left if left <= 0 => Verdict::fail("this node's key has expired").fix(fix),
        left if left < SOON_DAYS * DAY => {
            Verdict::warn(format!("this node's key expires in {} days", left / DAY)).fix(fix)
        }
        left => Verdict::pass(format!("this node's key is good for {} days", left / DAY)),
    };
    verdict.seen("KeyExpiry", "tailscaled", expires.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn client(backend: &str, online: bool) -> Client {
        Client { backend: backend.into(), online, addresses: vec!["100.64.0.1".into()], interface: true }
    }

    #[test]
    fn only_a_running_client_with_a_connection_and_an_address_is_a_tunnel() {
        let state = |client: &Client| tunnel(Ok(client)).state();
        assert_eq!(state(&client("Running", true)), State::Pass);
        assert_eq!(state(&client("Running", false)), State::Fail);
        assert_eq!(state(&Client { addresses: Vec::new(), ..client("Running", true) }), State::Fail);
        assert_eq!(state(&client("NeedsLogin", false)), State::Fail);
        assert_eq!(state(&client("Stopped", false)), State::Fail);
        assert_eq!(state(&client("Starting", false)), State::Unknown);
        assert_eq!(state(&client("NoState", false)), State::Unknown);
        assert_eq!(tunnel(Err("no socket")).state(), State::Fail);
    }

    #[test]
    fn names_of_the_mesh_lead_to_this_machine() {
        let asked =
            |answer| MeshDns::Asked { name: "web.mesh".into(), expected: vec!["100.64.0.1".into()], answer };
        let state = |answer| mesh_dns(&asked(answer)).state();
        assert_eq!(state(Ok(vec!["100.64.0.1".into()])), State::Pass);
        assert_eq!(state(Ok(vec!["100.64.0.2".into()])), State::Fail);
        assert_eq!(state(Ok(Vec::new())), State::Fail);
        assert_eq!(state(Err("timed out".into())), State::Fail);
        assert_eq!(mesh_dns(&MeshDns::Off).state(), State::Skip);
        assert_eq!(mesh_dns(&MeshDns::NotTaken).state(), State::Skip);
        assert_eq!(mesh_dns(&MeshDns::NoInterface).state(), State::Skip);
    }

    #[test]
    fn the_server_is_found_outside_the_mesh() {
        assert_eq!(outside_dns(None, Err("-")).state(), State::Skip);
        assert_eq!(outside_dns(Some("m"), Ok(&["192.0.2.1".into()])).state(), State::Pass);
        assert_eq!(outside_dns(Some("m"), Ok(&[])).state(), State::Fail);
        assert_eq!(outside_dns(Some("m"), Err("SERVFAIL")).state(), State::Fail);
    }

    #[test]
    fn a_key_that_ends_soon_is_mentioned() {
        let now = Timestamp::UNIX_EPOCH;
        let at = |days: i64| Some(Timestamp::from_second(days * DAY).unwrap());
        assert_eq!(key(None, now).state(), State::Pass);
        assert_eq!(key(at(15), now).state(), State::Pass);
        assert_eq!(key(at(13), now).state(), State::Warn);
        assert_eq!(key(at(0), now).state(), State::Fail);
    }
}
