//! Resolvers are judged by DNS: lines that ping one.

use std::net::IpAddr;

use super::{Text, joined, lines, words};
use crate::Verdict;

const ID: &str = "dns.resolver-protocol";
const PUBLIC: [&str; 7] =
    ["1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "149.112.112.112", "169.254.169.253"];
/// Options of ping whose value is the next word.
const WITH_VALUE: [&str; 12] = ["-c", "-W", "-w", "-i", "-n", "-t", "-s", "-I", "-Q", "-p", "-l", "-m"];

/// Lines that ping a resolver; `resolvers` are those of the mesh.
pub fn pings(texts: &[Text], resolvers: &[IpAddr]) -> Verdict {
    joined(texts.iter().flat_map(|text| {
        lines(&text.text, ID).filter_map(|(number, line)| {
            let target = pinged(line)?;
            let why = resolver(&target, resolvers)?;
            let name = target.trim_matches(['{', '}', ' ']).to_owned();
            let at = if target.starts_with("{{") { format!("{{{{ {name} }}}}") } else { name };
            Some(
                Verdict::fail(format!(
                    "{}:{number} pings {at}, {why}: resolvers may drop pings and answer DNS all the same",
                    text.file
                ))
                .fix(format!("dig @{at} example.com"))
                .at(&text.file, number),
            )
        })
    }))
}

/// What a line pings.
fn pinged(line: &str) -> Option<String> {
    let words = words::words(line);
    let starts = ["ping", "ping6", "ping4", "fping", "Test-Connection"];
    let rests = starts.iter().flat_map(|name| words::behind(&words, &[name]));
    rests.into_iter().find_map(|rest| {
        let mut rest = rest.iter();
        loop {
            let word = rest.next()?;
            if WITH_VALUE.contains(&word.as_str()) {
                rest.next()?;
            } else if !word.starts_with('-') {
                return Some(word.clone());
            }
        }
    })
}

/// Why a target is a resolver, if it is one.
fn resolver(target: &str, resolvers: &[IpAddr]) -> Option<&'static str> {
    if let Ok(ip) = target.parse::<IpAddr>() {
        if resolvers.contains(&ip) {
            return Some("a nameserver of the mesh");
        }
        if PUBLIC.contains(&target) {
            return Some("a public resolver");
        }
        // A cloud puts its resolver at the second address of a network.
        return match ip {
            IpAddr::V4(v4) if v4.is_private() && v4.octets()[2..] == [0, 2] => {
                Some("the resolver of a cloud network")
            }
            _ => None,
        };
    }
    let lower = target.to_ascii_lowercase();
    let named = ["dns", "resolver", "nameserver"].iter().any(|word| lower.contains(word));
    let looks_like_a_name = target.starts_with("{{") || target.contains('.') || target.starts_with('$');
    (named && looks_like_a_name).then_some("a resolver by its name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn found(line: &str) -> Option<usize> {
        let text = Text { file: "docs/net.md".into(), text: format!("# Network\n\n{line}\n") };
        let verdict = pings(&[text], &["10.9.0.53".parse().unwrap()]);
        assert!(verdict.findings.is_empty() || verdict.state() == State::Fail);
        verdict.worst().map(|f| f.place.as_ref().unwrap().line)
    }

    #[test]
    fn a_ping_of_a_resolver_is_found_with_its_line() {
        for line in [
            "Verify with `ping 10.0.0.2`.",
            "    ping -c 3 -W 2 10.0.0.2",
            "  command: ping -c1 {{ vpc_dns }}",
            "- shell: /bin/ping 10.9.0.53",
            "ping 8.8.8.8",
            "ping ns.dns.example.com",
        ] {
            assert_eq!(found(line), Some(3), "{line}");
        }
    }

    #[test]
    fn other_pings_are_left_alone() {
        for line in [
            "dig @10.0.0.2 example.com",
            "ping 100.64.0.7",
            "ping web-1.mesh.internal",
            "tailscale ping web-1",
            "ansible -m ping all",
            "The VPC resolver drops ping",
            "ping 10.0.0.2 # meshctl:allow dns.resolver-protocol it shows what does not work",
        ] {
            assert_eq!(found(line), None, "{line}");
        }
    }
}
