//! `meshctl inventory`: the mesh as Ansible wants to be told of hosts.

mod groups;
mod vars;

use api::node::{LIST, Node, Nodes};
use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::talk::{Answer, Context, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl inventory --list
  meshctl inventory --host web-1
  meshctl inventory --list --address name

It speaks the language of Ansible's inventory scripts, with or without --json: a script of the one
line `exec meshctl inventory \"$@\"` is an inventory. Groups are tag_NAME, user_LOGIN, os_NAME,
online, offline, ephemeral, routers and exit_nodes; what is no letter, digit or underscore becomes
one.

Devices name themselves. Every string that comes from one is marked unsafe, so that Ansible never
takes it for a template; a device whose name could not be that of a host is left out, with a note.")]
pub struct Args {
    /// All devices in their groups, with their variables
    #[arg(long, required_unless_present = "host")]
    list: bool,
    /// The variables of this device
    #[arg(long, value_name = "NAME", conflicts_with = "list")]
    host: Option<String>,
    /// Where Ansible connects to
    #[arg(long, value_enum, default_value = "ipv4")]
    address: Address,
}

/// What becomes `ansible_host`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Address {
    /// The address in the mesh
    Ipv4,
    /// The other address in the mesh
    Ipv6,
    /// The full name
    Name,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let nodes: Nodes = context.read(&LIST, &[], &()).await?;
    let (hosts, odd): (Vec<_>, Vec<_>) = nodes.nodes.into_iter().partition(|n| names_a_host(&n.name));
    for node in odd {
        context.screen().note(&format!("device {} is left out: its name is no host's", node.id));
    }
    match args.host {
        None => Ok(Answer::foreign(listed(&hosts, args.address))),
        Some(name) => match hosts.iter().find(|n| n.name == name) {
            Some(node) => Ok(Answer::foreign(Value::Object(vars::of(node, args.address)))),
            None => Err(Failure::failed(format!("there is no device {name}"))
                .hint("`meshctl node list` shows what there is")
                .code("not_found")),
        },
    }
}

fn listed(nodes: &[Node], address: Address) -> Value {
    let mut inventory = Map::new();
    let hostvars: Map<_, _> =
        nodes.iter().map(|n| (n.name.clone(), Value::Object(vars::of(n, address)))).collect();
    inventory.insert("_meta".into(), json!({ "hostvars": hostvars }));
    let names: Vec<_> = nodes.iter().map(|n| n.name.as_str()).collect();
    inventory.insert("mesh".into(), json!({ "hosts": names }));
    for (group, hosts) in groups::of(nodes) {
        inventory.insert(group, json!({ "hosts": hosts }));
    }
    Value::Object(inventory)
}

/// A DNS label: what Ansible can neither take for a pattern, nor for a template, nor for a path.
fn names_a_host(name: &str) -> bool {
    let of_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.chars().all(of_label) && !name.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that says of itself what would run a command if it were taken for a template.
    fn hostile() -> Node {
        let text = r#"{"id":7,"name":"web-1","fqdn":"web-1.mesh.internal","online":true,"last_seen":null,
            "tags":["tag:a-b"],"user":"{{ lookup('pipe','id') }}","ipv4":"100.64.0.7","ipv6":"fd7a:115c:a1e0::7",
            "created":"2026-01-01T00:00:00Z","expires":null,"expired":false,"logged_out":false,"ephemeral":true,
            "os":"{{ lookup('pipe','id') }}","client_version":"{{ 1 + 1 }}","advertised_routes":["0.0.0.0/0","10.0.0.0/8"],
            "approved_routes":["0.0.0.0/0","10.0.0.0/8"],"primary_routes":["10.0.0.0/8"],"endpoints":[],"home_derp":0,
            "machine_key":"mkey:0000000000000000000000000000000000000000000000000000000000000007",
            "node_key":"nodekey:0000000000000000000000000000000000000000000000000000000000000007","key_id":null}"#;
        serde_json::from_str(text).unwrap()
    }

    /// Every string of a value that is not inside a mark.
    fn bare(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|i| bare(i, found)),
            Value::Object(members) if members.contains_key("__ansible_unsafe") => {}
            Value::Object(members) => members.values().for_each(|v| bare(v, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    #[test]
    fn what_a_device_says_is_never_a_template() {
        let inventory = listed(&[hostile()], Address::Ipv4);
        let mut found = Vec::new();
        bare(&inventory, &mut found);
        assert!(found.iter().all(|text| !text.contains("{{")), "{found:?}");
        let said = &inventory["_meta"]["hostvars"]["web-1"]["mesh_os"]["__ansible_unsafe"];
        assert_eq!(said, "{{ lookup('pipe','id') }}");
        let groups: Vec<_> = inventory.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(
            groups.iter().all(|g| g.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')),
            "{groups:?}"
        );
        assert_eq!(inventory["routers"]["hosts"][0], "web-1");
        assert_eq!(inventory["exit_nodes"]["hosts"][0], "web-1");
        assert_eq!(inventory["_meta"]["hostvars"]["web-1"]["ansible_host"], "100.64.0.7");
    }

    #[test]
    fn a_name_that_is_no_label_is_no_host() {
        assert!(names_a_host("web-1"));
        for odd in ["", "-web", "we b", "{{x}}", "web:1", "Web", "web.1", "web\n"] {
            assert!(!names_a_host(odd), "{odd:?}");
        }
    }
}
