//! A case as a World: its people, its nodes, its policy.

use std::{collections::BTreeSet, sync::Arc};

use ident::{NodeId, UserId};
use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::Value;
use wire::Hostinfo;
use world::{Lifecycle, Live, NextIds, Node, NonEmpty, Owner, Prepared, Rows, Settings, User, World};

/// The error is why a server does not take the policy.
pub fn world(case: &Value) -> Result<World, String> {
    let text = case["policy"].as_str().map_or_else(|| case["policy"].to_string(), str::to_owned);
    let policy = Prepared::parse(&text).map_err(|errors| errors.to_string())?;
    let users = case["users"].as_array().unwrap();
    let nodes = case["nodes"].as_object().unwrap().iter().zip(1..);
    let nodes: Vec<_> = nodes.map(|((name, told), id)| node(id, name, told, users)).collect();
    let next = NextIds { node: id(nodes.len() as u64 + 1), ..NextIds::default() };
    let rows = Rows {
        users: users.iter().map(user).collect(),
        roles: Vec::new(),
        auth_keys: Vec::new(),
        api_keys: Vec::new(),
        bound: Default::default(),
        primaries: Vec::new(),
        nodes,
        policy,
        dns: None,
        next,
    };
    Ok(World::load(Settings::default(), rows))
}

fn user(user: &Value) -> User {
    let login = user["email"].as_str().unwrap().to_owned();
    User { id: user_id(user), display_name: login.clone(), login, created: Timestamp::UNIX_EPOCH }
}

fn node(number: u64, name: &str, told: &Value, users: &[Value]) -> Node {
    let texts = |key: &str| -> Vec<String> {
        told[key].as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let tags: Vec<_> = texts("tags").iter().map(|tag| tag.parse().unwrap()).collect();
    let person = || users.iter().find(|user| user["name"] == told["user"]).map(user_id);
    let owner = NonEmpty::new(tags).map(Owner::Tags).or_else(|| person().map(Owner::User));
    let routes: BTreeSet<IpNet> = texts("approved_routes").iter().map(|net| net.parse().unwrap()).collect();
    let hostinfo = Hostinfo { routable_ips: routes.iter().copied().collect(), ..Hostinfo::default() };
    Node {
        id: id(number),
        machine: format!("mkey:{number:064x}").parse().unwrap(),
        node_key: format!("nodekey:{number:064x}").parse().unwrap(),
        name: name.to_owned(),
        renamed: true,
        never_expires: false,
        owner: owner.unwrap_or_else(|| panic!("{name} is nobody's")),
        responsible: None,
        auth_key: None,
        v4: told["ipv4"].as_str().unwrap().parse().unwrap(),
        v6: told["ipv6"].as_str().unwrap().parse().unwrap(),
        created: Timestamp::UNIX_EPOCH,
        key_expiry: None,
        ephemeral: false,
        lifecycle: Lifecycle::Active,
        approved_routes: routes,
        auto_routes: BTreeSet::new(),
        hostinfo: Arc::new(hostinfo),
        live: Live::default(),
        class: None,
        badge: Default::default(),
        expired: false,
        rev: 0,
    }
}

fn user_id(user: &Value) -> UserId {
    UserId::new(user["id"].as_u64().unwrap()).unwrap()
}

fn id(number: u64) -> NodeId {
    NodeId::new(number).unwrap()
}
