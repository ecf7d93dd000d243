//! What clients are told of DNS beside the names of nodes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// Names in lower case without a final dot, and their addresses.
pub type Records = BTreeMap<String, BTreeSet<IpAddr>>;

/// Everything about DNS that an operator may change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dns {
    /// Who is asked for what.
    pub settings: DnsSettings,
    /// Extra names, by command.
    #[serde(default)]
    pub records: Records,
    /// Extra names, as the watched file had them when it was last good.
    #[serde(default)]
    pub watched: Records,
}

/// Who is asked for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DnsSettings {
    /// Whether clients answer for the tailnet's domain.
    pub magic: bool,
    /// Whether the global nameservers take the place of those that a machine has; otherwise they are used only where
    /// a machine cannot ask different servers for different names.
    pub override_local: bool,
    /// Global nameservers.
    pub resolvers: Vec<Nameserver>,
    /// Nameservers of a suffix and all below it; never none.
    pub split: BTreeMap<String, Vec<Nameserver>>,
    /// Suffixes to try behind the tailnet's own.
    pub search: Vec<String>,
}

impl Default for DnsSettings {
    fn default() -> Self {
        let (resolvers, split, search) = Default::default();
        Self { magic: true, override_local: false, resolvers, split, search }
    }
}

impl DnsSettings {
    /// The suffix that decides who is asked for a name, and who that is; the global nameservers have no suffix.
    pub fn asked_for(&self, name: &str) -> (Option<&str>, &[Nameserver]) {
        let fits = self.split.iter().filter(|(suffix, _)| is_within(name, suffix));
        match fits.max_by_key(|(suffix, _)| suffix.len()) {
            Some((suffix, servers)) => (Some(suffix), servers),
            None => (None, &self.resolvers),
        }
    }
    /// All nameservers.
    pub fn nameservers(&self) -> impl Iterator<Item = &Nameserver> {
        self.resolvers.iter().chain(self.split.values().flatten())
    }
}

/// Whether the name is the suffix or below it.
pub fn is_within(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Who answers: `IP`, `IP:port`, or the URL of DNS over HTTPS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Nameserver {
    /// At port 53.
    Address(IpAddr),
    /// At another port.
    Socket(SocketAddr),
    /// DNS over HTTPS: the URL, and its host as names are compared.
    Https {
        /// As it was written.
        url: String,
        /// A name or an address.
        host: String,
    },
}

impl Nameserver {
    /// Its address, where it is not known by name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Nameserver::Address(ip) => Some(*ip),
            Nameserver::Socket(socket) => Some(socket.ip()),
            Nameserver::Https { host, .. } => host.parse().ok(),
        }
    }
    /// Its name, which clients must find before they can ask it.
    pub fn name(&self) -> Option<&str> {
        match self {
            Nameserver::Https { host, .. } if host.parse::<IpAddr>().is_err() => Some(host),
            Nameserver::Https { .. } | Nameserver::Address(_) | Nameserver::Socket(_) => None,
        }
    }
}

impl FromStr for Nameserver {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORMS: &str = "an address, an address with a port, or an https:// URL";
        if let Some(rest) = text.strip_prefix("https://") {
            let plain =
                text.len() <= 256 && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
            let host = host_of(rest).filter(|_| plain).ok_or(FORMS)?;
            return Ok(Nameserver::Https { url: text.to_owned(), host });
        }
        let found = match (text.parse::<IpAddr>(), text.parse::<SocketAddr>()) {
            (Ok(ip), _) => Nameserver::Address(ip),
            (_, Ok(socket)) if socket.port() == 53 => Nameserver::Address(socket.ip()),
            (_, Ok(socket)) if socket.port() != 0 => Nameserver::Socket(socket),
            _ => return Err(FORMS),
        };
        match found.ip() {
            Some(ip) if ip.is_unspecified() || ip.is_multicast() => Err("the address of one host"),
            Some(ip) if is_magic(ip) => Err("another address: this one is each client's own resolver"),
            _ => Ok(found),
        }
    }
}

impl fmt::Display for Nameserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Nameserver::Address(ip) => ip.fmt(f),
            Nameserver::Socket(socket) => socket.fmt(f),
            Nameserver::Https { url, .. } => f.write_str(url),
        }
    }
}

impl TryFrom<String> for Nameserver {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Nameserver> for String {
    fn from(server: Nameserver) -> Self {
        server.to_string()
    }
}

/// Where a client's own resolver listens.
fn is_magic(ip: IpAddr) -> bool {
    let v6 = 0xfd7a_115c_a1e0_0000_0000_0000_0000_0053_u128;
    ip == IpAddr::from([100, 100, 100, 100]) || ip == IpAddr::V6(v6.into())
}

/// The host of a URL behind its scheme, in lower case.
fn host_of(rest: &str) -> Option<String> {
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = match authority.strip_prefix('[') {
        Some(v6) => {
            let (host, port) = v6.split_once(']')?;
            let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(|p| p.parse::<u16>().is_ok());
            return (is_port && host.parse::<std::net::Ipv6Addr>().is_ok()).then(|| host.to_owned());
        }
        None => match authority.split_once(':') {
            Some((host, port)) => port.parse::<u16>().ok().map(|_| host)?,
            None => authority,
        },
    };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || b == b'_';
    (!host.is_empty() && host.len() <= 253 && host.bytes().all(inner)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nameservers_have_three_forms() {
        for text in ["1.1.1.1", "10.0.0.53:5353", "[fd00::1]:54", "fd00::1", "https://dns.nextdns.io/abc123"]
        {
            assert_eq!(text.parse::<Nameserver>().unwrap().to_string(), text);
        }
        assert_eq!("1.1.1.1:53".parse::<Nameserver>().unwrap().to_string(), "1.1.1.1");
        assert_eq!("https://DNS.example:8443/q".parse::<Nameserver>().unwrap().name(), Some("dns.example"));
        assert_eq!("https://[2001:db8::1]/q".parse::<Nameserver>().unwrap().name(), None);
        for text in [
            "",
            "dns.example",
            "1.1.1.1:0",
            "0.0.0.0",
            "224.0.0.1",
            "100.100.100.100",
            "http://a/",
            "https://",
            "https://a b/",
            "https://u@h/",
            "https://a:x/",
            "1.1.1.1/24",
        ] {
            assert!(text.parse::<Nameserver>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_longest_suffix_decides() {
        let server = |t: &str| vec![t.parse().unwrap()];
        let split = [
            ("corp.example".to_owned(), server("10.0.0.1")),
            ("vpn.corp.example".to_owned(), server("1.1.1.1")),
        ];
        let settings = DnsSettings { split: split.into(), ..DnsSettings::default() };
        assert_eq!(settings.asked_for("vpn.corp.example").0, Some("vpn.corp.example"));
        assert_eq!(settings.asked_for("a.corp.example").0, Some("corp.example"));
        assert_eq!(settings.asked_for("xcorp.example").0, None);
    }
}
