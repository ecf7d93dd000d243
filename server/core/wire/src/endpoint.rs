//! UDP addresses that clients report, kept only where a peer could use them.

use std::net::{IpAddr, SocketAddr};

/// More than this many no client has use for.
const MOST: usize = 64;

/// The usable ones in the order given, each once, at most 64. Zone-scoped, link-local, unspecified and multicast
/// addresses, port 0 and what is no address at all are dropped.
pub(crate) fn usable<S: AsRef<str>>(texts: &[S]) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for address in texts.iter().filter_map(|t| parse(t.as_ref())) {
        if found.len() == MOST {
            break;
        }
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

fn parse(text: &str) -> Option<SocketAddr> {
    if text.contains('%') {
        return None;
    }
    let address: SocketAddr = text.parse().ok()?;
    let ip = address.ip().to_canonical();
    let local = match ip {
        IpAddr::V4(v4) => v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let nonsense = address.port() == 0 || local || ip.is_unspecified() || ip.is_multicast();
    (!nonsense).then(|| SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_peer_can_dial_stays() {
        let texts = [
            "192.168.1.7:41641",
            "[2001:db8::1]:41641",
            "[::ffff:192.168.1.7]:41641",
            "[fe80::1%eth0]:41641",
            "[fe80::1]:41641",
            "0.0.0.0:41641",
            "224.0.0.1:41641",
            "192.168.1.8:0",
            "host.example:1",
            "192.168.1.9",
            "",
        ];
        let kept: Vec<_> = usable(&texts).iter().map(SocketAddr::to_string).collect();
        assert_eq!(kept, ["192.168.1.7:41641", "[2001:db8::1]:41641"]);
    }

    #[test]
    fn a_flood_is_cut() {
        let texts: Vec<_> = (1..200).map(|n| format!("192.0.2.1:{n}")).collect();
        assert_eq!(usable(&texts).len(), MOST);
    }
}
