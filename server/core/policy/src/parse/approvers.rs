//! `autoApprovers`: whose advertised routes and exit nodes need nobody's approval.

use ipnet::IpNet;
use jsonc_parser::{ast::Value, common::Ranged};

use crate::{
    alias::{Alias, Names, Side, network},
    parse::hujson::Report,
};

const KEYS: [&str; 3] = ["routes", "exitNode", "services"];

type Routes = Vec<(IpNet, Vec<Alias>)>;

/// Approvers by prefix, and those of exit nodes.
pub(crate) fn read(value: &Value, names: &Names, report: &mut Report) -> (Routes, Vec<Alias>) {
    let Value::Object(object) = value else {
        report.say(value.start(), "autoApprovers must be an object", None);
        return Default::default();
    };
    let (mut routes, mut exit) = (Vec::new(), Vec::new());
    for (key, value) in report.fields(object, &KEYS, "autoApprovers") {
        match key {
            "routes" => routes = prefixes(value, names, report),
            "exitNode" => exit = aliases(value, "autoApprovers.exitNode", names, report),
            _ => services(value, names, report),
        }
    }
    (routes, exit)
}

/// Who may offer which service. There are no services yet, so that nothing comes of it but its mistakes.
fn services(value: &Value, names: &Names, report: &mut Report) {
    for member in report.members(value, "autoApprovers.services") {
        let name = member.name.as_str();
        let what = format!("autoApprovers.services[{name:?}]");
        if !name.starts_with("svc:") && !name.starts_with("tag:") {
            let hint = Some("a service is written svc:name; a tag stands for those that bear it".to_owned());
            report.say(member.start(), format!("{what}: not a service's name"), hint);
        }
        aliases(&member.value, &what, names, report);
    }
}

fn prefixes(value: &Value, names: &Names, report: &mut Report) -> Routes {
    let mut routes = Vec::new();
    for member in report.members(value, "autoApprovers.routes") {
        let what = format!("autoApprovers.routes[{:?}]", member.name.as_str());
        let approvers = aliases(&member.value, &what, names, report);
        match network(member.name.as_str()) {
            Ok(net) => routes.push((net, approvers)),
            Err(mistake) => report.say(member.start(), format!("{what}: {}", mistake.message), mistake.hint),
        }
    }
    routes
}

fn aliases(value: &Value, what: &str, names: &Names, report: &mut Report) -> Vec<Alias> {
    let mut aliases = Vec::new();
    for (at, text) in report.texts(value, what) {
        match Alias::parse(text, Side::Approver, names) {
            Ok(alias) => aliases.push(alias),
            Err(mistake) => report.say(at, format!("{what}: {}", mistake.message), mistake.hint),
        }
    }
    aliases
}
