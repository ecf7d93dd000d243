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

/// The number of a protocol written as name or number (1 to 255, no leading zero). The error is the reference's.
pub(crate) fn parse(text: &str) -> Result<i32, String> {
    let lower = text.to_ascii_lowercase();
    let named = NAMES.iter().find(|(name, _)| *name == lower);
    if let Some((_, number)) = named {
        return Ok(*number);
    }
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        let form = "use protocol number 0-255 or protocol name (icmp, tcp, udp, etc.)";
        return Err(format!("proto name {text:?} not known; {form}"));
    }
    if text.starts_with('0') {
        return Err(format!("leading 0 not permitted in protocol number {text:?}"));
    }
    let number = text.parse().ok().filter(|number| (1..=255).contains(number));
    number.ok_or_else(|| format!("protocol number out of range (0-255): {text}"))
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
        assert_eq!(parse("TCP"), Ok(6));
        assert_eq!(parse("icmp"), Ok(1));
        assert_eq!(parse("1"), Ok(1));
        assert_eq!(parse("255"), Ok(255));
        for (bad, what) in [
            ("", "proto name \"\" not known; use protocol number 0-255"),
            ("*", "proto name \"*\" not known"),
            ("-1", "proto name \"-1\" not known"),
            ("+6", "proto name \"+6\" not known"),
            ("tpc", "proto name \"tpc\" not known"),
            ("0", "leading 0 not permitted in protocol number \"0\""),
            ("01", "leading 0 not permitted"),
            ("256", "protocol number out of range (0-255): 256"),
            ("99999999999999999999", "protocol number out of range"),
        ] {
            assert!(parse(bad).unwrap_err().starts_with(what), "{bad}");
        }
        assert_eq!(name(&[6]), "tcp");
        assert_eq!(name(&[200]), "200");
        assert_eq!(name(&[]), "");
    }
}
