//! `derpMap`: the tailnet's own relays, beside or instead of those of the server.

use jsonc_parser::{
    ast::{Object, Value},
    common::Ranged,
};

use crate::{
    parse::hujson::{Report, json},
    policy::Relays,
};

const KEYS: [&str; 3] = ["omitDefaultRegions", "regions", "homeParams"];
const REGION: [&str; 8] =
    ["RegionID", "RegionCode", "RegionName", "Latitude", "Longitude", "Avoid", "NoMeasureNoHome", "Nodes"];
const NODE: [&str; 12] = [
    "Name",
    "RegionID",
    "HostName",
    "CertName",
    "IPv4",
    "IPv6",
    "STUNPort",
    "STUNOnly",
    "DERPPort",
    "InsecureForTests",
    "STUNTestIP",
    "CanPort80",
];

/// A member of a region or a relay.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Flag,
    Number,
    /// From the first to the last.
    Whole(i64, i64),
}

/// Regions by number; `null` takes one of the server's away.
pub(crate) fn read(value: &Value, report: &mut Report) -> Relays {
    let Value::Object(object) = value else {
        report.say(value.start(), "derpMap must be an object", None);
        return Relays::default();
    };
    let mut relays = Relays::default();
    for (key, value) in report.fields(object, &KEYS, "derpMap") {
        match key {
            "omitDefaultRegions" => relays.alone = super::switch(value, "derpMap.omitDefaultRegions", report),
            "regions" => regions(value, &mut relays, report),
            _ => scores(value, &mut relays, report),
        }
    }
    relays
}

fn regions(value: &Value, relays: &mut Relays, report: &mut Report) {
    for member in report.members(value, "derpMap.Regions") {
        let name = member.name.as_str();
        let Some(id) = region_number(name) else {
            let hint = Some("a region is a number from 1 to 65535; 900 to 999 are for one's own".to_owned());
            report.say(member.start(), format!("derpMap.Regions[{name:?}]: not a region's number"), hint);
            continue;
        };
        match &member.value {
            Value::NullKeyword(_) => {
                relays.regions.insert(id, None);
            }
            Value::Object(object) => {
                let region = region(id, object, report);
                relays.regions.insert(id, Some(region));
            }
            other => report.say(other.start(), format!("derpMap.Regions[{name:?}] must be an object"), None),
        }
    }
}

/// How much the measured latency of each region counts when a client chooses its home.
fn scores(value: &Value, relays: &mut Relays, report: &mut Report) {
    let Value::Object(object) = value else {
        return report.say(value.start(), "derpMap.homeParams must be an object", None);
    };
    for (_, value) in report.fields(object, &["RegionScore"], "derpMap.homeParams") {
        for member in report.members(value, "RegionScore of derpMap.homeParams") {
            let name = member.name.as_str();
            let what = format!("RegionScore[{name:?}] of derpMap.homeParams");
            let Some(id) = region_number(name) else {
                report.say(member.start(), format!("{what}: not a region's number"), None);
                continue;
            };
            match json::plain(&member.value) {
                serde_json::Value::Number(score) if score.as_f64().is_some_and(|score| score > 0.0) => {
                    relays.scores.insert(id, score);
                }
                _ => report.say(
                    member.value.start(),
                    format!("{what} must be a number above 0"),
                    Some("1 changes nothing, 0.5 halves what a region seems to be away".to_owned()),
                ),
            }
        }
    }
}

fn region_number(name: &str) -> Option<u32> {
    name.parse::<u32>().ok().filter(|id| (1..=65535).contains(id))
}

fn region(id: u32, object: &Object, report: &mut Report) -> serde_json::Value {
    let what = format!("region {id} of derpMap");
    let fields = report.fields(object, &REGION, &what);
    let mut out = serde_json::Map::new();
    for (key, value) in &fields {
        match *key {
            "Nodes" => {
                out.insert("Nodes".to_owned(), nodes(id, value, report));
            }
            _ => member(&what, key, of_region(key), value, &mut out, report),
        }
    }
    names_itself(id, object, &what, &out, report);
    for key in ["RegionCode", "RegionName"] {
        out.entry(key).or_insert_with(|| format!("region-{id}").into());
    }
    serde_json::Value::Object(out)
}

fn nodes(id: u32, value: &Value, report: &mut Report) -> serde_json::Value {
    let Value::Array(list) = value else {
        report.say(value.start(), format!("Nodes of region {id} must be a list of relays"), None);
        return serde_json::Value::Null;
    };
    let mut nodes: Vec<serde_json::Value> = Vec::new();
    for element in &list.elements {
        let Value::Object(object) = element else {
            report.say(element.start(), "a relay is an object with Name, RegionID and HostName", None);
            continue;
        };
        let what = format!("a relay of region {id}");
        let mut out = serde_json::Map::new();
        for (key, value) in report.fields(object, &NODE, &what) {
            member(&what, key, of_node(key), value, &mut out, report);
        }
        names_itself(id, object, &what, &out, report);
        for key in ["Name", "HostName"] {
            if out.get(key).and_then(serde_json::Value::as_str).is_none_or(str::is_empty) {
                report.say(object.start(), format!("{what} needs {key}"), None);
            }
        }
        nodes.push(out.into());
    }
    nodes.into()
}

/// `RegionID` repeats the number under which the region stands.
fn names_itself(
    id: u32,
    object: &Object,
    what: &str,
    out: &serde_json::Map<String, serde_json::Value>,
    report: &mut Report,
) {
    if out.get("RegionID").and_then(serde_json::Value::as_u64) != Some(id.into()) {
        report.say(object.start(), format!("{what} must say \"RegionID\": {id}"), None);
    }
}

fn of_region(key: &str) -> Kind {
    match key {
        "RegionID" => Kind::Whole(1, 65535),
        "Latitude" | "Longitude" => Kind::Number,
        "Avoid" | "NoMeasureNoHome" => Kind::Flag,
        _ => Kind::Text,
    }
}

fn of_node(key: &str) -> Kind {
    match key {
        "RegionID" => Kind::Whole(1, 65535),
        "STUNPort" => Kind::Whole(-1, 65535),
        "DERPPort" => Kind::Whole(0, 65535),
        "STUNOnly" | "InsecureForTests" | "CanPort80" => Kind::Flag,
        _ => Kind::Text,
    }
}

fn member(
    what: &str,
    key: &str,
    kind: Kind,
    value: &Value,
    out: &mut serde_json::Map<String, serde_json::Value>,
    report: &mut Report,
) {
    let plain = json::plain(value);
    let (fits, form) = match kind {
        Kind::Text => (plain.is_string(), "a text in quotes".to_owned()),
        Kind::Flag => (plain.is_boolean(), "true or false".to_owned()),
        Kind::Number => (plain.is_number(), "a number".to_owned()),
        Kind::Whole(first, last) => {
            let fits = plain.as_i64().is_some_and(|number| (first..=last).contains(&number));
            (fits, format!("a number from {first} to {last}"))
        }
    };
    if !fits {
        return report.say(value.start(), format!("{key} of {what} must be {form}"), None);
    }
    out.insert(key.to_owned(), plain);
}
