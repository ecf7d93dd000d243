//! The `proto` of a rule: names and numbers of IP protocols.

/// Names the reference knows, and the protocol numbers (IANA) that go on the wire.
const NAMES: [(&str, i32); 14] = [
    ("icmp", 1),
    ("igmp", 2),
    ("ipv4", 4),
    ("ip-in-ip", 4),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("udp", 17),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("sctp", 132),
    ("fc", 133),
];

/// TCP, UDP and SCTP: the protocols whose packets have ports.
const WITH_PORTS: [i32; 3] = [6, 17, 132];

/// The number of a protocol written as name or number (1 to 255, no leading zero).
pub(crate) fn parse(text: &str) -> Option<i32> {
    let lower = text.to_ascii_lowercase();
    let named = NAMES.iter().find(|(name, _)| *name == lower);
    if let Some((_, number)) = named {
        return Some(*number);
    }
    let plain = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| plain && (1..=255).contains(n))
}

pub(crate) fn has_ports(number: i32) -> bool {
    WITH_PORTS.contains(&number)
}

/// What to call the protocols of a rule; empty means the ones a client allows by default.
pub(crate) fn name(protocols: &[i32]) -> String {
    let names = protocols.iter().map(|number| {
        let known = NAMES.iter().find(|(_, n)| n == number);
        known.map_or_else(|| number.to_string(), |(name, _)| (*name).to_owned())
    });
    names.collect::<Vec<_>>().join(",")
}

/// Every name, for hints.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(parse("TCP"), Some(6));
        assert_eq!(parse("icmp"), Some(1));
        assert_eq!(parse("1"), Some(1));
        assert_eq!(parse("255"), Some(255));
        for bad in ["", "0", "01", "256", "*", "-1", "+6", "tpc"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(name(&[6]), "tcp");
        assert_eq!(name(&[200]), "200");
        assert_eq!(name(&[]), "");
    }
}
