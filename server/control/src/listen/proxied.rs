//! Whom a request behind proxies comes from: what they say, as far as they are believed.
//!
//! Each proxy adds whom it got the request from, so the walk begins with the last word and goes on while the speaker is a
//! configured proxy. What a client claims of itself stands before that and is never reached.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};

use crate::config::{Proxies, ProxyHeader};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client of a request on a connection from `remote`. The port is the connection's.
pub(super) fn client(proxies: &Proxies, remote: SocketAddr, headers: &HeaderMap) -> SocketAddr {
    let ip = match proxies.header {
        ProxyHeader::XForwardedFor => {
            let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
            let hops = lines.flat_map(|line| line.as_bytes().rsplit(|b| *b == b','));
            walk(proxies, remote.ip(), hops.map(address))
        }
        ProxyHeader::Forwarded => {
            let lines = headers.get_all(header::FORWARDED).iter().rev();
            walk(proxies, remote.ip(), lines.flat_map(|line| elements(line.as_bytes()).into_iter().rev()))
        }
        ProxyHeader::ProxyProtocol => remote.ip(),
    };
    SocketAddr::new(ip, remote.port())
}

/// `hops` begins with what the nearest proxy says. A word that is no address ends the walk at its speaker.
fn walk(proxies: &Proxies, nearest: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
    let mut at = nearest;
    for hop in hops {
        let (true, Some(next)) = (proxies.has(at), hop) else { break };
        at = next;
    }
    at.to_canonical()
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse().ok().map(|at: SocketAddr| at.ip()))
}

/// The `for` of each element; none for an element whose `for` is no address or missing.
fn elements(line: &[u8]) -> Vec<Option<IpAddr>> {
    split(line, b',').into_iter().map(|element| split(element, b';').into_iter().find_map(origin)?).collect()
}

/// Of `for=…`; none for other parameters.
fn origin(parameter: &[u8]) -> Option<Option<IpAddr>> {
    let text = str::from_utf8(parameter).ok()?.trim();
    let (name, value) = text.split_once('=')?;
    let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    name.eq_ignore_ascii_case("for").then(|| address(value.as_bytes()))
}

/// At `at`, but not inside quotes.
fn split(text: &[u8], at: u8) -> Vec<&[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let split = |byte: &u8| {
        let is_quote = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && quoted && !escaped;
        quoted ^= is_quote;
        *byte == at && !quoted
    };
    text.split(split).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(header: ProxyHeader, lines: &[&str]) -> String {
        let addresses = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap()).to_vec();
        let proxies = Proxies { addresses, header };
        let name = if header == ProxyHeader::Forwarded { header::FORWARDED } else { X_FORWARDED_FOR };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.clone(), HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        client(&proxies, "10.0.0.1:7".parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_nearest_address_that_is_no_proxy_is_the_client() {
        let found = |lines: &[&str]| found(ProxyHeader::XForwardedFor, lines);
        for (lines, client) in [
            (&["192.0.2.1"][..], "192.0.2.1:7"),
            (&["198.51.100.9, 192.0.2.1"], "192.0.2.1:7"),
            (&["198.51.100.9, 192.0.2.1, 10.0.0.2"], "192.0.2.1:7"),
            (&["198.51.100.9", "192.0.2.1", "10.0.0.2"], "192.0.2.1:7"),
            (&["127.0.0.1, 192.0.2.1:9999"], "192.0.2.1:7"),
            (&["2001:db8::1"], "[2001:db8::1]:7"),
            (&["[2001:db8::1]:80, fd00::7"], "[2001:db8::1]:7"),
            (&["::ffff:192.0.2.1"], "192.0.2.1:7"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3:7"),
        ] {
            assert_eq!(found(lines), client, "{lines:?}");
        }
    }

    #[test]
    fn nonsense_counts_as_who_said_it() {
        let found = |lines: &[&str]| found(ProxyHeader::XForwardedFor, lines);
        for lines in [&[][..], &[""], &["192.0.2.1,"], &["192.0.2.1, unknown"], &["192.0.2.1, \u{e9}"]] {
            assert_eq!(found(lines), "10.0.0.1:7", "{lines:?}");
        }
        assert_eq!(found(&["192.0.2.1, x, 10.0.0.2"]), "10.0.0.2:7");
        assert_eq!(found(&[&"1.2.3.4,".repeat(5000)]), "10.0.0.1:7");
    }

    #[test]
    fn the_standard_header_is_read_as_it_is_written() {
        let found = |lines: &[&str]| found(ProxyHeader::Forwarded, lines);
        for (lines, client) in [
            (&["for=192.0.2.1"][..], "192.0.2.1:7"),
            (&["for=198.51.100.9;proto=https, FOR=\"192.0.2.1:80\";by=10.0.0.1"], "192.0.2.1:7"),
            (&["by=10.0.0.1 ; for=\"[2001:db8::1]:80\""], "[2001:db8::1]:7"),
            (&["for=\"_a,b\\\",c\", for=192.0.2.1, for=10.0.0.2"], "192.0.2.1:7"),
            (&["for=192.0.2.1", "for=10.0.0.2"], "192.0.2.1:7"),
            (&["for=192.0.2.1, for=unknown"], "10.0.0.1:7"),
            (&["for=192.0.2.1, proto=https"], "10.0.0.1:7"),
            (&["for=192.0.2.1, for=\"192.0.2.9"], "10.0.0.1:7"),
        ] {
            assert_eq!(found(lines), client, "{lines:?}");
        }
    }

    #[test]
    fn only_a_proxy_is_believed() {
        let mut headers = HeaderMap::new();
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.1"));
        let stranger = "203.0.113.5:9".parse().unwrap();
        assert_eq!(client(&Proxies::default(), stranger, &headers), stranger);
    }
}
