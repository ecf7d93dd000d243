//! DNS: who is asked for which names, and names beside those of nodes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use api::{
    Changed,
    dns::{DELETE_RECORD, Dns, Edit, LIST, Record, Records, SET, SET_RECORD, SHOW, SetRecord},
};
use world::{Bootstrap, Command, DnsEdit, Nameserver, Refusal, World, dns_dangers};

use super::{Routes, call::Call, refused::Refused, serve};
use crate::bootstrap::names;

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(routes, &SHOW, show);
    let routes = serve(routes, &SET, set);
    let routes = serve(routes, &LIST, list);
    let routes = serve(routes, &SET_RECORD, set_record);
    serve(routes, &DELETE_RECORD, delete_record)
}

async fn show(call: Call, (): ()) -> Result<Dns, Refused> {
    Ok(view(&call, &call.world))
}

async fn set(call: Call, input: Edit) -> Result<Changed<Dns>, Refused> {
    let split = input.split.into_iter().map(|(suffix, to)| Ok((suffix, nameservers(to)?)));
    let edit = DnsEdit {
        magic: input.magic,
        override_local: input.override_local,
        resolvers: input.resolvers.map(nameservers).transpose()?,
        split: split.collect::<Result<_, Refusal>>()?,
        search: input.search,
    };
    let command = Command::EditDns { edit, bootstrap: bootstrap(&call), force: input.force };
    let outcome = call.carry_out(command).await?;
    Ok(call.answer(outcome.changed, view(&call, &outcome.world)))
}

async fn list(call: Call, (): ()) -> Result<Records, Refused> {
    Ok(records(&call.world))
}

async fn set_record(call: Call, input: SetRecord) -> Result<Changed<Records>, Refused> {
    let SetRecord { name, addresses, force } = input;
    let command = Command::SetDnsRecord { name, addresses, bootstrap: bootstrap(&call), force };
    let outcome = call.carry_out(command).await?;
    Ok(call.answer(outcome.changed, records(&outcome.world)))
}

async fn delete_record(call: Call, (): ()) -> Result<Changed<Records>, Refused> {
    let outcome = call.carry_out(Command::DeleteDnsRecord { name: call.name.clone() }).await?;
    Ok(call.answer(outcome.changed, records(&outcome.world)))
}

fn bootstrap(call: &Call) -> Vec<Bootstrap> {
    names(&call.doors.config(), &call.world, &call.doors.hub.site())
}

fn nameservers(texts: Vec<String>) -> Result<Vec<Nameserver>, Refusal> {
    let parse = |text: String| match text.parse() {
        Ok(server) => Ok(server),
        Err(rule) => {
            Err(Refusal::BadName { noun: "nameserver", name: text.chars().take(300).collect(), rule })
        }
    };
    texts.into_iter().map(parse).collect()
}

fn view(call: &Call, world: &World) -> Dns {
    let settings = &world.dns.settings;
    let texts = |servers: &[Nameserver]| servers.iter().map(ToString::to_string).collect();
    Dns {
        domain: world.settings.domain.clone(),
        magic: settings.magic,
        override_local: settings.override_local,
        resolvers: texts(&settings.resolvers),
        split: settings.split.iter().map(|(suffix, to)| (suffix.clone(), texts(to))).collect(),
        search: settings.search.clone(),
        records: records(world).records,
        dangers: dns_dangers(world, &world.dns, &bootstrap(call)),
    }
}

fn records(world: &World) -> Records {
    let dns = &world.dns;
    let mut all: BTreeMap<_, _> = dns.watched.iter().map(|(name, to)| (name, (to, "file"))).collect();
    all.extend(dns.records.iter().map(|(name, to)| (name, (to, "command"))));
    let record = |(name, (addresses, source)): (&String, (&BTreeSet<IpAddr>, &str))| Record {
        name: name.clone(),
        addresses: addresses.clone(),
        source: source.to_owned(),
    };
    Records { records: all.into_iter().map(record).collect() }
}
