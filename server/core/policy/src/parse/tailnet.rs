//! What holds for the whole tailnet: switches, relays, postures.

pub(crate) mod postures;
pub(crate) mod relays;

use jsonc_parser::{ast::Value, common::Ranged};

use crate::{alias::nearest, parse::hujson::Report};

/// What `OneCGNATRoute` may say, and the capability that tells a Mac.
const MAC_ROUTES: [(&str, Option<&str>); 3] =
    [("", None), ("mac-always", Some("one-cgnat?v=true")), ("mac-never", Some("one-cgnat?v=false"))];

/// Whether a switch is on.
pub(crate) fn switch(value: &Value, name: &str, report: &mut Report) -> bool {
    let Value::BooleanLit(flag) = value else {
        report.say(value.start(), format!("{name} must be true or false"), None);
        return false;
    };
    flag.value
}

/// How Macs route the mesh.
pub(crate) fn mac_route(value: &Value, report: &mut Report) -> Option<&'static str> {
    let text = report.text_of(value, "OneCGNATRoute")?;
    if let Some((_, cap)) = MAC_ROUTES.iter().find(|(known, _)| *known == text) {
        return *cap;
    }
    let hint = nearest(text, MAC_ROUTES.iter().map(|(known, _)| *known).filter(|known| !known.is_empty()))
        .or_else(|| Some("write mac-always, mac-never or leave it empty".to_owned()));
    report.say(value.start(), format!("OneCGNATRoute: {text:?} is not valid"), hint);
    None
}
