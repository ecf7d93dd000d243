//! Capabilities that a policy gives to nodes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{Device, SUGGEST_EXIT_NODE, answer::Tailnet, compiled::FUNNEL_PORTS};

impl Tailnet<'_> {
    /// What the node itself is told.
    pub(crate) fn caps(&self, node: &Device) -> BTreeMap<String, Value> {
        let mut caps = BTreeMap::new();
        for name in &self.policy.everywhere {
            caps.insert((*name).to_owned(), Value::Null);
        }
        let meant = self.policy.attributes.iter();
        let meant = meant.filter(|attribute| attribute.targets.iter().any(|alias| self.means(alias, node)));
        for attribute in meant {
            for name in &attribute.names {
                caps.insert(name.clone(), Value::Null);
                if name == "funnel" {
                    caps.insert(FUNNEL_PORTS.to_owned(), Value::Null);
                }
            }
            for (name, parameters) in &attribute.apps {
                merge(caps.entry(name.clone()).or_insert(Value::Null), parameters);
            }
        }
        caps
    }

    /// What its peers are told of it.
    pub(crate) fn caps_for_peers(&self, node: &Device) -> BTreeMap<String, Value> {
        let mut caps = self.caps(node);
        caps.retain(|name, _| name == SUGGEST_EXIT_NODE && node.is_exit_node());
        caps
    }
}

fn merge(known: &mut Value, more: &Value) {
    match (known, more) {
        (Value::Array(known), Value::Array(more)) => known.extend(more.iter().cloned()),
        (known, more) => *known = more.clone(),
    }
}
