//! What holds of DNS until an operator changes it: checked by the same rules as the change would be.

use jiff::Timestamp;
use world::{Bootstrap, Command, Context, DnsEdit, DnsSettings, Draft, Nameserver, Refusal, Settings, World};

use super::DnsFile;

/// The start values in a tailnet with these settings, whose clients must find these hosts.
pub(super) fn start_values(
    file: Option<&DnsFile>,
    settings: &Settings,
    hosts: [&String; 2],
) -> Result<DnsSettings, Refusal> {
    let Some(file) = file else { return Ok(DnsSettings::default()) };
    let split = file.split.iter().map(|(suffix, to)| Ok((suffix.clone(), nameservers(to)?)));
    let edit = DnsEdit {
        magic: file.magic,
        override_local: file.override_local,
        resolvers: Some(nameservers(&file.resolvers)?),
        split: split.collect::<Result<_, Refusal>>()?,
        search: Some(file.search.clone()),
    };
    let whats = ["the control server", "the embedded relay"];
    let named = hosts.into_iter().zip(whats);
    let bootstrap = named.map(|(name, what)| Bootstrap { name: name.clone(), what: what.to_owned() });
    let command = Command::EditDns { edit, bootstrap: bootstrap.collect(), force: false };
    let mut draft = Draft::new(&World::empty(settings.clone()));
    draft.step(&command, Context { now: Timestamp::UNIX_EPOCH, rng: 0 })?;
    Ok(draft.world.dns.settings.clone())
}

/// As they are written.
fn nameservers(texts: &[String]) -> Result<Vec<Nameserver>, Refusal> {
    let parse = |text: &String| {
        let bad = |rule| Refusal::BadName { noun: "nameserver", name: text.clone(), rule };
        text.parse().map_err(bad)
    };
    texts.iter().map(parse).collect()
}
