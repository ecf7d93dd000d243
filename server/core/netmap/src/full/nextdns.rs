//! NextDNS: which profile of it answers a node, and what it is told of who asks.

use std::fmt::Write;

use world::{Nameserver, Node, World};

const HOST: &str = "dns.nextdns.io";
/// More of what a client calls its system is not passed on.
const LONGEST_SYSTEM: usize = 64;

/// What differs from node to node in the URLs of NextDNS.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NextDns {
    profile: Option<String>,
    device: Option<String>,
}

impl NextDns {
    /// For one node; none where nobody asks NextDNS.
    pub(crate) fn of(world: &World, node: &Node) -> Option<Self> {
        world.dns.settings.nameservers().find(|server| is_nextdns(server))?;
        let said = world.classes.compiled().nextdns(&node.badge);
        let profile = said.profile.map(str::to_owned);
        Some(Self { profile, device: said.tells_device.then(|| device(node)) })
    }

    /// The nameserver as this node is told of it.
    pub(crate) fn address(&self, server: &Nameserver) -> String {
        let mut url = match &self.profile {
            Some(profile) if is_nextdns(server) => format!("https://{HOST}/{profile}"),
            _ => server.to_string(),
        };
        if let Some(device) = self.device.as_ref().filter(|_| is_nextdns(server)) {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(device);
        }
        url
    }
}

fn is_nextdns(server: &Nameserver) -> bool {
    server.name() == Some(HOST)
}

/// In the words of NextDNS.
fn device(node: &Node) -> String {
    let system: String = node.hostinfo.os.chars().take(LONGEST_SYSTEM).collect();
    format!(
        "device_ip={}&device_model={}&device_name={}",
        node.v4,
        in_a_query(&system),
        in_a_query(&node.name)
    )
}

/// RFC 3986: all but unreserved characters as `%` and two digits.
fn in_a_query(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            // Never fails: it is a String.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_urls_of_nextdns_are_changed() {
        let both = NextDns { profile: Some("kids".into()), device: Some("device_name=a".into()) };
        let device = NextDns { profile: None, device: Some("device_name=a".into()) };
        for (server, with_both, with_device) in [
            (
                "https://dns.nextdns.io/abc",
                "https://dns.nextdns.io/kids?device_name=a",
                "https://dns.nextdns.io/abc?device_name=a",
            ),
            (
                "https://dns.nextdns.io/abc/x?y=z",
                "https://dns.nextdns.io/kids?device_name=a",
                "https://dns.nextdns.io/abc/x?y=z&device_name=a",
            ),
            (
                "https://dns.nextdns.io.example/abc",
                "https://dns.nextdns.io.example/abc",
                "https://dns.nextdns.io.example/abc",
            ),
            (
                "https://dns.example/dns.nextdns.io/",
                "https://dns.example/dns.nextdns.io/",
                "https://dns.example/dns.nextdns.io/",
            ),
            ("9.9.9.9", "9.9.9.9", "9.9.9.9"),
        ] {
            let server = server.parse().unwrap();
            assert_eq!(both.address(&server), with_both);
            assert_eq!(device.address(&server), with_device);
        }
    }

    #[test]
    fn nothing_breaks_out_of_a_query() {
        assert_eq!(in_a_query("a-b.c_1~"), "a-b.c_1~");
        assert_eq!(in_a_query("Mac OS&device_name=x#\"\\é"), "Mac%20OS%26device_name%3Dx%23%22%5C%C3%A9");
    }
}
