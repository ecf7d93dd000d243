//! `clients.reregistered`, `nodes.registered` and `nodes.reachable`.

pub mod notified;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::Verdict;

/// A device, as a list of devices shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The machine; it outlives a reset of the server.
    pub machine_key: String,
    /// What it is.
    pub tags: BTreeSet<String>,
    /// Its first address in the mesh.
    pub address: String,
    /// Whether it is online.
    pub online: bool,
    /// Whether it is forgotten when it goes away.
    pub ephemeral: bool,
    /// When it was last seen; nothing while it is online.
    pub last_seen: Option<Timestamp>,
}

const DAY: i64 = 86_400;
/// Whoever was away for longer before the reset is not waited for.
const AWAY_DAYS: i64 = 30;

/// Whether every device of before is back, as what it was. `remembered` is when that was.
pub fn reregistered(before: &[Node], remembered: Timestamp, after: &[Node]) -> Verdict {
    let expected = before.iter().filter(|n| !n.ephemeral && !was_away(n, remembered));
    let each = expected.map(|node| one(node, after));
    let verdict = Verdict::all(each, || Verdict::pass("no device was there that should be back"));
    verdict.seen(
        format!("devices of {remembered} that are back"),
        "the server",
        format!("{} before, {} after", before.len(), after.len()),
    )
}

fn was_away(node: &Node, remembered: Timestamp) -> bool {
    node.last_seen.is_some_and(|seen| remembered.as_second() - seen.as_second() > AWAY_DAYS * DAY)
}

fn one(node: &Node, after: &[Node]) -> Verdict {
    let same = after.iter().find(|n| n.machine_key == node.machine_key);
    let Some(found) = same.or_else(|| after.iter().find(|n| n.name == node.name)) else {
        return Verdict::fail(format!("{} has not come back", node.name))
            .fix("tailscale up --login-server=URL --auth-key=file:KEY   # on it, with a new role key");
    };
    let lost: Vec<_> = node.tags.difference(&found.tags).map(String::as_str).collect();
    if !lost.is_empty() {
        let tags: Vec<_> = node.tags.iter().map(String::as_str).collect();
        return Verdict::fail(format!(
            "{} is back without {}: it may reach nothing",
            found.name,
            lost.join(", ")
        ))
        .fix(format!("meshctl node tag {} {}", found.name, tags.join(" ")));
    }
    let mut odd = Vec::new();
    if found.name != node.name {
        odd.push(format!("under the name {}", found.name));
    }
    if found.address != node.address {
        odd.push(format!("at {} where {} was", found.address, node.address));
    }
    if odd.is_empty() {
        return Verdict::pass(format!("{} is back", node.name));
    }
    let verdict = Verdict::warn(format!("{} is back {}", node.name, odd.join(" and ")));
    match found.name == node.name {
        true => verdict.fix("look for the old address in the policy's hosts and in the extra DNS records"),
        false => verdict.fix(format!("meshctl node rename {} {}", found.name, node.name)),
    }
}

/// Whether there is a mesh: at least two devices online.
pub fn registered(nodes: &[Node]) -> Verdict {
    let online = nodes.iter().filter(|n| n.online).count();
    let join = "tailscale up --login-server=URL --auth-key=file:KEY   # on a device";
    let verdict = match (nodes.len(), online) {
        (0, _) => Verdict::fail("no device has joined").fix(join),
        (_, 0) => Verdict::fail("no device is online").fix("systemctl status tailscaled   # on a device"),
        (_, 1) => Verdict::warn("one device is online: a mesh needs two").fix(join),
        (all, online) => Verdict::pass(format!("{online} of {all} devices are online")),
    };
    verdict.seen("devices", "the server", format!("{} known, {online} online", nodes.len()))
}

/// What came of a ping of a device, by the client of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ping {
    /// It answered; how.
    Pong(String),
    /// It did not.
    Lost(String),
}

/// Whether this machine reaches others. `Err` says why it cannot be tried from here.
pub fn reachable(pings: Result<&[(String, Ping)], &str>) -> Verdict {
    match pings {
        Err(why) => Verdict::unknown(format!("this machine cannot try it: {why}"))
            .fix("tailscale ping NODE   # on a device of the mesh"),
        Ok(pings) => Verdict::all(pings.iter().map(|(name, ping)| pinged(name, ping)), || {
            Verdict::unknown("no other device is online that could be pinged")
        }),
    }
}

fn pinged(name: &str, ping: &Ping) -> Verdict {
    let (verdict, said) = match ping {
        Ping::Pong(how) => (Verdict::pass(format!("{name} answers")), how),
        Ping::Lost(how) => (
            Verdict::fail(format!("{name} does not answer: {how}")).fix(
                "meshctl check --only derp.works --only stun.answers --only dns.split-excludes-bootstrap",
            ),
            how,
        ),
    };
    verdict.seen("tailscale ping", name, how_short(said))
}

fn how_short(text: &str) -> String {
    text.lines().last().unwrap_or_default().chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn node(name: &str, machine: &str, tags: &[&str]) -> Node {
        Node {
            name: name.into(),
            machine_key: machine.into(),
            tags: tags.iter().map(ToString::to_string).collect(),
            address: "100.64.0.1".into(),
            online: true,
            ephemeral: false,
            last_seen: None,
        }
    }
    fn back(before: &Node, after: &[Node]) -> (State, String) {
        let verdict = reregistered(std::slice::from_ref(before), Timestamp::UNIX_EPOCH, after);
        (verdict.state(), verdict.summary())
    }

    #[test]
    fn who_is_back_is_known_by_its_machine_and_then_by_its_name() {
        let web = node("web", "mkey:1", &["tag:server"]);
        assert_eq!(back(&web, std::slice::from_ref(&web)).0, State::Pass);
        assert_eq!(back(&web, &[node("web", "mkey:9", &["tag:server"])]).0, State::Pass);
        let renamed = back(&web, &[node("web-1", "mkey:1", &["tag:server"])]);
        assert_eq!(renamed, (State::Warn, "web is back under the name web-1".into()));
        assert_eq!(back(&web, &[]).0, State::Fail);
    }

    #[test]
    fn who_is_back_without_its_tags_reaches_nothing() {
        let web = node("web", "mkey:1", &["tag:server"]);
        let (state, summary) = back(&web, &[node("web", "mkey:1", &[])]);
        assert_eq!(
            (state, summary.as_str()),
            (State::Fail, "web is back without tag:server: it may reach nothing")
        );
    }

    #[test]
    fn who_was_long_away_or_ephemeral_is_not_waited_for() {
        let remembered = Timestamp::from_second(40 * DAY).unwrap();
        let away = Node { last_seen: Some(Timestamp::UNIX_EPOCH), ..node("old", "mkey:1", &[]) };
        let passing = Node { ephemeral: true, ..node("ci", "mkey:2", &[]) };
        assert_eq!(reregistered(&[away, passing], remembered, &[]).state(), State::Pass);
    }

    #[test]
    fn a_mesh_has_two_devices() {
        let online = node("a", "mkey:1", &[]);
        let offline = Node { online: false, ..node("b", "mkey:2", &[]) };
        assert_eq!(registered(&[]).state(), State::Fail);
        assert_eq!(registered(std::slice::from_ref(&offline)).state(), State::Fail);
        assert_eq!(registered(&[online.clone(), offline]).state(), State::Warn);
        assert_eq!(registered(&[online.clone(), online]).state(), State::Pass);
    }

    #[test]
    fn what_cannot_be_tried_is_unknown() {
        assert_eq!(reachable(Err("no tailscale here")).state(), State::Unknown);
        assert_eq!(reachable(Ok(&[])).state(), State::Unknown);
        assert_eq!(reachable(Ok(&[("web".into(), Ping::Pong("pong".into()))])).state(), State::Pass);
        assert_eq!(reachable(Ok(&[("web".into(), Ping::Lost("timed out".into()))])).state(), State::Fail);
    }
}
