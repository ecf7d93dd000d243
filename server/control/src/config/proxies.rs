//! Whose word about who a client is, is taken.

use std::net::IpAddr;

use ipnet::IpNet;

use super::ProxiesFile;

/// Proxies in front of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Where they are; nobody else is believed.
    pub addresses: Vec<IpNet>,
    /// How they tell.
    pub header: ProxyHeader,
}

/// How a proxy tells the client's address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProxyHeader {
    /// A list, to which each proxy adds whom it got the request from.
    #[default]
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
    /// Before anything else on the connection, version 1 or 2.
    ProxyProtocol,
}

impl ProxyHeader {
    /// All, with their names.
    pub const ALL: [(&str, Self); 3] = [
        ("x-forwarded-for", Self::XForwardedFor),
        ("forwarded", Self::Forwarded),
        ("proxy-protocol", Self::ProxyProtocol),
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, header)| *header == self).map_or("", |(name, _)| name)
    }
}

impl Proxies {
    /// Whether a proxy has this address.
    pub fn has(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.addresses.iter().any(|net| net.contains(&ip))
    }
}

/// As it is written; what is wrong with it goes to `mistake`.
pub(super) fn proxies(file: &ProxiesFile, mistake: &mut impl FnMut(&str, String, &str)) -> Proxies {
    let mut addresses = Vec::new();
    for text in &file.addresses {
        match text.parse::<IpNet>().or_else(|e| text.parse::<IpAddr>().map(IpNet::from).map_err(|_| e)) {
            Ok(net) if net.prefix_len() == 0 => mistake(
                "proxies.addresses",
                format!("{text:?} is everybody, so that everybody could say who they are"),
                "name the proxies",
            ),
            Ok(net) => addresses.push(net.trunc()),
            Err(_) => mistake(
                "proxies.addresses",
                format!("{text:?} is no address and no prefix"),
                "for example 127.0.0.1 or 10.0.0.0/24",
            ),
        }
    }
    let known = |name: &String| ProxyHeader::ALL.iter().find(|(known, _)| known == name);
    let header = match &file.header {
        None => ProxyHeader::default(),
        Some(name) => known(name).map_or_else(
            || {
                let message = format!("{name:?} is no way to tell an address that is known here");
                mistake("proxies.header", message, "x-forwarded-for, forwarded or proxy-protocol");
                ProxyHeader::default()
            },
            |(_, header)| *header,
        ),
    };
    Proxies { addresses, header }
}
