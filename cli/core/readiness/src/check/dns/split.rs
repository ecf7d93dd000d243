//! `dns.split-excludes-bootstrap`: no name that is needed before the tunnel is asked of a server behind it.

use std::{collections::BTreeMap, net::IpAddr};

use super::address::is_public;
use crate::Verdict;

/// What clients are told about names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Names that are needed before the tunnel, and what each is.
    pub bootstrap: Vec<(String, String)>,
    /// Nameservers by suffix: `IP`, `IP:port` or an `https://` URL.
    pub split: BTreeMap<String, Vec<String>>,
    /// Whether the global ones take the place of those that a machine has.
    pub override_local: bool,
    /// The global ones.
    pub resolvers: Vec<String>,
    /// What the server itself says is wrong: it also knows its routes.
    pub dangers: Vec<String>,
}

/// Whether every such name is asked of somebody who can be reached without the tunnel.
pub fn split_excludes_bootstrap(settings: &Settings) -> Verdict {
    let names: Vec<_> =
        settings.bootstrap.iter().filter(|(name, _)| name.parse::<IpAddr>().is_err()).collect();
    let told = settings.dangers.iter().map(|danger| {
        let name = danger.split(' ').next().unwrap_or_default();
        Verdict::fail(danger.clone()).fix(fix(name)).seen(
            "what leads clients into the mesh too early",
            "the server",
            danger,
        )
    });
    let found =
        names.iter().filter(|(name, _)| !settings.dangers.iter().any(|d| d.starts_with(&format!("{name} "))));
    let found = found.filter_map(|(name, what)| one(settings, name, what));
    let said = format!("{} suffixes, {} global nameservers", settings.split.len(), settings.resolvers.len());
    Verdict::all(told.chain(found), || {
        Verdict::pass("every name that clients need first is found without the tunnel")
    })
    .seen("split DNS and nameservers", "the server", said)
}

fn one(settings: &Settings, name: &str, what: &str) -> Option<Verdict> {
    let within = |suffix: &str| {
        let suffix = suffix.trim_matches('.').to_ascii_lowercase();
        name == suffix || name.ends_with(&format!(".{suffix}"))
    };
    let longest =
        settings.split.iter().filter(|(suffix, _)| within(suffix)).max_by_key(|(suffix, _)| suffix.len());
    let (servers, way) = match longest {
        Some((suffix, servers)) => (servers, format!("as nameserver of {suffix}")),
        None if settings.override_local => (&settings.resolvers, "as global nameserver".to_owned()),
        None => return None,
    };
    if servers.is_empty() || !servers.iter().all(|server| is_inside(server)) {
        return None;
    }
    let detail = format!(
        "{name} ({what}) is asked of {} {way}, which a client without the tunnel cannot reach",
        servers.join(", ")
    );
    Some(Verdict::fail(detail).fix(fix(name)))
}

fn fix(name: &str) -> String {
    format!("meshctl dns set --split {name}=1.1.1.1,9.9.9.9")
}

fn is_inside(server: &str) -> bool {
    let ip = server.parse::<IpAddr>().or_else(|_| server.parse::<std::net::SocketAddr>().map(|at| at.ip()));
    ip.is_ok_and(|ip| !is_public(ip))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn settings(split: &[(&str, &str)]) -> Settings {
        let split = split.iter().map(|(suffix, server)| (suffix.to_string(), vec![server.to_string()]));
        Settings {
            bootstrap: vec![("vpn.aws.example.com".into(), "the control server".into())],
            split: split.collect(),
            ..Settings::default()
        }
    }
    fn state(split: &[(&str, &str)]) -> State {
        split_excludes_bootstrap(&settings(split)).state()
    }

    #[test]
    fn the_control_name_is_not_asked_of_a_server_behind_the_tunnel() {
        let verdict = split_excludes_bootstrap(&settings(&[("aws.example.com", "10.0.0.2")]));
        assert_eq!(verdict.state(), State::Fail);
        let fix = verdict.worst().unwrap().fix.clone().unwrap();
        assert_eq!(fix, "meshctl dns set --split vpn.aws.example.com=1.1.1.1,9.9.9.9");
        let healed = [("aws.example.com", "10.0.0.2"), ("vpn.aws.example.com", "1.1.1.1")];
        assert_eq!(state(&healed), State::Pass);
    }

    #[test]
    fn suffixes_end_at_labels() {
        assert_eq!(state(&[("ws.example.com", "10.0.0.2")]), State::Pass);
        assert_eq!(state(&[("other.example", "10.0.0.2")]), State::Pass);
        assert_eq!(state(&[]), State::Pass);
        assert_eq!(state(&[("example.com", "9.9.9.9")]), State::Pass);
        assert_eq!(state(&[("example.com.", "[fd00::2]:53")]), State::Fail);
    }

    #[test]
    fn global_nameservers_behind_the_tunnel_that_override_all_others_fail() {
        let global = Settings { resolvers: vec!["10.0.0.2".into()], ..settings(&[]) };
        assert_eq!(split_excludes_bootstrap(&global).state(), State::Pass);
        let global = Settings { override_local: true, ..global };
        assert_eq!(split_excludes_bootstrap(&global).state(), State::Fail);
    }

    #[test]
    fn what_the_server_says_counts() {
        let told = Settings {
            dangers: vec!["vpn.aws.example.com (the control server) would be asked".into()],
            ..settings(&[])
        };
        let verdict = split_excludes_bootstrap(&told);
        assert_eq!((verdict.state(), verdict.findings.len()), (State::Fail, 1));
    }

    #[test]
    fn an_address_is_in_no_danger() {
        let named = Settings {
            bootstrap: vec![("192.0.2.1".into(), "it".into())],
            override_local: true,
            resolvers: vec!["10.0.0.2".into()],
            ..Settings::default()
        };
        assert_eq!(split_excludes_bootstrap(&named).state(), State::Pass);
    }
}
