//! The sources that a rule names by address.

pub(crate) mod span;

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

/// Addresses a rule names itself, not by way of who a node is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceSet {
    /// Literal addresses, prefixes and ranges, ascending, each once.
    pub ranges: Vec<SourceRange>,
    /// The rule says `*`: every approved subnet route of the tailnet (no exit route) belongs to the sources too.
    pub approved_routes: bool,
}

/// Some addresses. `Display` is the text that filter rules on the wire use: an address, a prefix or `first-last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceRange {
    /// A prefix; a single address is one of full length.
    Prefix(IpNet),
    /// From the first to the last address, both included.
    Span(IpAddr, IpAddr),
}

impl fmt::Display for SourceRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(net) if net.prefix_len() == net.max_prefix_len() => net.addr().fmt(f),
            Self::Prefix(net) => net.fmt(f),
            Self::Span(first, last) => write!(f, "{first}-{last}"),
        }
    }
}

/// What `*` means as a source: the addresses that nodes can have. 100.115.92.0/23 is left out as the reference does,
/// because ChromeOS uses it inside its hosts.
pub(crate) fn everyone() -> [SourceRange; 3] {
    use std::net::{Ipv4Addr, Ipv6Addr};
    let span = |first: [u8; 4], last: [u8; 4]| {
        SourceRange::Span(Ipv4Addr::from(first).into(), Ipv4Addr::from(last).into())
    };
    let ula = Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, 0);
    [
        span([100, 64, 0, 0], [100, 115, 91, 255]),
        span([100, 115, 94, 0], [100, 127, 255, 255]),
        SourceRange::Prefix(IpNet::new_assert(ula.into(), 48)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_the_wire() {
        let texts: Vec<_> = everyone().iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            ["100.64.0.0-100.115.91.255", "100.115.94.0-100.127.255.255", "fd7a:115c:a1e0::/48"]
        );
        assert_eq!(SourceRange::Prefix("10.1.2.3/32".parse().unwrap()).to_string(), "10.1.2.3");
    }
}
