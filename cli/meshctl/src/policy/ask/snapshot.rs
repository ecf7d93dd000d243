//! The devices that a question is about: those of a server, of a file, or none but imagined ones.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    net::{Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    str::FromStr,
};

use api::{node, user};
use ident::Tag;
use ipnet::IpNet;
use policy::{Device, Person, Roster};
use serde::Deserialize;

use crate::talk::{Context, Failure};

/// Longest snapshot that is read.
const LONGEST: u64 = 256 << 20;

/// Where devices come from.
#[derive(Debug, Clone)]
pub enum Nodes {
    /// Those of the server.
    Live,
    /// What `meshctl node list --json` printed.
    File(PathBuf),
}

impl FromStr for Nodes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(if text == "live" { Self::Live } else { Self::File(text.into()) })
    }
}

/// The members that matter of what `meshctl node list --json` prints.
#[derive(Debug, Default, Deserialize)]
struct Snapshot {
    nodes: Vec<Node>,
    /// As `meshctl user list --json` prints them; people without a device are known this way only.
    #[serde(default)]
    users: Vec<User>,
}

#[derive(Debug, Deserialize)]
struct Node {
    name: String,
    #[serde(default)]
    tags: Vec<Tag>,
    user: Option<String>,
    ipv4: Ipv4Addr,
    ipv6: Ipv6Addr,
    #[serde(default)]
    approved_routes: Vec<IpNet>,
}

#[derive(Debug, Deserialize)]
struct User {
    login: String,
}

/// Who is there. Without a word about it: the server's devices when the policy is a server's, otherwise nobody.
pub async fn devices(context: &Context, nodes: Option<&Nodes>, is_live: bool) -> Result<Roster, Failure> {
    match nodes {
        Some(Nodes::File(path)) => Ok(roster(read(path)?)),
        None if !is_live => {
            context
                .screen()
                .note("no devices are looked at, only imagined ones: --nodes names a snapshot, or live");
            Ok(Roster::default())
        }
        Some(Nodes::Live) | None => {
            let nodes = context.read(&node::LIST, &[], &()).await?.nodes.into_iter().map(|node| Node {
                name: node.name,
                tags: node.tags,
                user: node.user,
                ipv4: node.ipv4,
                ipv6: node.ipv6,
                approved_routes: node.approved_routes,
            });
            let nodes = nodes.collect();
            let users = context.read(&user::LIST, &[], &()).await?.users.into_iter();
            Ok(roster(Snapshot { nodes, users: users.map(|user| User { login: user.login }).collect() }))
        }
    }
}

fn read(path: &Path) -> Result<Snapshot, Failure> {
    let failed = |e: io::Error| Failure::failed(format!("cannot read {}: {e}", path.display()));
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LONGEST {
        return Err(Failure::failed(format!("{} is longer than {LONGEST} bytes", path.display())));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::failed(format!("{} is no snapshot of nodes: {error}", path.display()))
            .hint("`meshctl node list --json > FILE` makes one")
    })
}

fn roster(snapshot: Snapshot) -> Roster {
    let owners = snapshot.nodes.iter().filter_map(|node| node.user.as_deref());
    let mut logins: Vec<String> =
        owners.chain(snapshot.users.iter().map(|user| user.login.as_str())).map(str::to_lowercase).collect();
    logins.sort_unstable();
    logins.dedup();
    let places: BTreeMap<String, usize> = logins.iter().cloned().zip(0..).collect();
    let devices = snapshot.nodes.into_iter().map(|node| Device {
        owner: node.user.and_then(|user| places.get(&user.to_lowercase()).copied()),
        host: node.name.clone(),
        name: node.name,
        tags: node.tags,
        v4: node.ipv4,
        v6: node.ipv6,
        routes: node.approved_routes,
        traits: None,
    });
    let devices = devices.collect();
    let people = logins.into_iter().map(|name| {
        let email = if name.contains('@') { name.clone() } else { String::new() };
        Person { name, email, roles: Some(Vec::new()) }
    });
    Roster { people: people.collect(), devices }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_node_list_prints_is_a_snapshot() {
        let text = r#"{"server":{},"tailnet":"default","nodes":[
            {"id":1,"name":"web-1","tags":["tag:web"],"user":"Alice@example.com","ipv4":"100.64.0.1",
             "ipv6":"fd7a:115c:a1e0::1","approved_routes":["10.0.0.0/8"],"online":true},
            {"id":2,"name":"phone","tags":[],"user":"bob","ipv4":"100.64.0.2","ipv6":"fd7a:115c:a1e0::2"}]}"#;
        let roster = roster(serde_json::from_str(text).unwrap());
        let names: Vec<_> = roster.people.iter().map(|p| (p.name.as_str(), p.email.as_str())).collect();
        assert_eq!(names, [("alice@example.com", "alice@example.com"), ("bob", "")]);
        assert_eq!(roster.devices[0].routes.len(), 1);
        assert_eq!(roster.devices[1].owner, Some(1));
        assert!(serde_json::from_str::<Snapshot>("[]").is_err());
    }
}
