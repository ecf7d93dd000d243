//! Which addresses everybody can reach, and whose they are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Cloudflare's ranges as published in 2026-08. What lies in them is proxied, or a tunnel.
const CLOUDFLARE: [&str; 22] = [
    "103.21.244.0/22",
    "103.22.200.0/22",
    "103.31.4.0/22",
    "104.16.0.0/13",
    "104.24.0.0/14",
    "108.162.192.0/18",
    "131.0.72.0/22",
    "141.101.64.0/18",
    "162.158.0.0/15",
    "172.64.0.0/13",
    "173.245.48.0/20",
    "188.114.96.0/20",
    "190.93.240.0/20",
    "197.234.240.0/22",
    "198.41.128.0/17",
    "2400:cb00::/32",
    "2405:8100::/32",
    "2405:b500::/32",
    "2606:4700::/32",
    "2803:f800::/32",
    "2a06:98c0::/29",
    "2c0f:f248::/32",
];

/// Whether a client anywhere can reach it.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// The network that stands in front of the server, if the address is of one that ends control connections.
pub fn proxy_of(ip: IpAddr) -> Option<&'static str> {
    let within = |net: &&str| net.parse::<IpNet>().is_ok_and(|net| net.contains(&ip));
    CLOUDFLARE.iter().any(within).then_some("Cloudflare")
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let shared = a == 100 && b & 0xc0 == 64;
    let benchmark = a == 198 && b & 0xfe == 18;
    let kept = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_documentation();
    !(kept || shared || benchmark || ip.is_broadcast() || ip.is_multicast() || a == 0 || a >= 240)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(v4) = ip.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let [first, second, ..] = ip.segments();
    first & 0xe000 == 0x2000 && !(first == 0x2001 && second == 0x0db8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_is_what_everybody_reaches() {
        for public in ["93.184.216.34", "2a01:4f8::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for kept in [
            "10.0.0.2",
            "192.168.1.1",
            "172.31.0.2",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.253",
            "192.0.2.1",
            "0.0.0.0",
            "240.0.0.1",
            "::1",
            "fe80::1",
            "fd7a:115c:a1e0::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_public(kept.parse().unwrap()), "{kept}");
        }
    }

    #[test]
    fn every_range_is_one() {
        assert!(CLOUDFLARE.iter().all(|net| net.parse::<IpNet>().is_ok()));
        assert_eq!(proxy_of("104.18.1.1".parse().unwrap()), Some("Cloudflare"));
        assert_eq!(proxy_of("2606:4700::6810:1".parse().unwrap()), Some("Cloudflare"));
        assert_eq!(proxy_of("93.184.216.34".parse().unwrap()), None);
    }
}
