//! `hosts`: names for addresses and prefixes.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jsonc_parser::{ast::Value, common::Ranged};

use crate::{alias::network, parse::hujson::Report};

/// Prefixes by name; none where the address is a mistake, so that the name is still known.
pub(crate) fn read(value: &Value, report: &mut Report) -> BTreeMap<String, Option<IpNet>> {
    let mut hosts = BTreeMap::new();
    for member in report.members(value, "hosts") {
        let name = member.name.as_str();
        let reads_otherwise =
            name.parse::<std::net::IpAddr>().is_ok() || name.contains([':', '@', '/', '*', ',']);
        if name.is_empty() || reads_otherwise {
            let hint = Some("a host's name has no : @ / * and , and is no address".to_owned());
            report.say(member.start(), format!("hosts[{name:?}]: not a host's name"), hint);
        }
        let text = report.text_of(&member.value, &format!("hosts[{name:?}]"));
        let net = text.and_then(|text| match network(text) {
            Ok(net) => Some(net),
            Err(mistake) => {
                report.say(
                    member.value.start(),
                    format!("hosts[{name:?}]: {}", mistake.message),
                    mistake.hint,
                );
                None
            }
        });
        hosts.insert(name.to_owned(), net);
    }
    hosts
}
