//! Ports of a rule.

use std::fmt;

/// Ports from `first` to `last`, both included; every port is 0 to 65535, as clients expect it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// Lowest port.
    pub first: u16,
    /// Highest port.
    pub last: u16,
}

impl PortRange {
    /// Every port, and for protocols without ports everything.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// Reads `*` or a comma-separated list of `22` and `80-443`.
    /// The error is the reference's sentence about the offending part.
    pub(crate) fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        if text == "*" {
            return Ok(vec![Self::ALL]);
        }
        text.split(',').map(|part| Self::parse(part.trim())).collect()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("port range \"{text}\": {what}");
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let first = number(first).ok_or_else(|| wrong("invalid first integer"))?;
        let last = number(last).ok_or_else(|| wrong("invalid last integer"))?;
        if first == 0 {
            return Err(wrong("ports begin at 1"));
        }
        if first > last {
            return Err(wrong("the first port is above the last"));
        }
        Ok(Self { first, last })
    }
}

fn number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            &Self::ALL => f.write_str("*"),
            Self { first, last } if first == last => first.fmt(f),
            Self { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_ranges_and_everything() {
        assert_eq!(PortRange::parse_list("*").unwrap(), [PortRange::ALL]);
        let list = PortRange::parse_list("22, 80-443").unwrap();
        assert_eq!(list, [PortRange { first: 22, last: 22 }, PortRange { first: 80, last: 443 }]);
        assert_eq!(PortRange::parse_list("1-65535").unwrap()[0].to_string(), "1-65535");
    }

    #[test]
    fn nonsense_is_named() {
        for (bad, what) in [
            ("ssh", "port range \"ssh\": invalid first integer"),
            ("", "port range \"\": invalid first integer"),
            ("80-x", "port range \"80-x\": invalid last integer"),
            ("65536", "port range \"65536\": invalid first integer"),
            ("+1", "port range \"+1\": invalid first integer"),
            ("0", "port range \"0\": ports begin at 1"),
            ("9-8", "port range \"9-8\": the first port is above the last"),
            ("22,*", "port range \"*\": invalid first integer"),
        ] {
            assert_eq!(PortRange::parse_list(bad).unwrap_err(), what, "{bad}");
        }
    }
}
