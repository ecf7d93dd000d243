//! Resolvers, asked directly over UDP, TCP, TLS and HTTPS; never the system's own.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ProtocolConfig, ResolveHosts, ResolverConfig},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::{Message, MessageType, OpCode, Query, ResponseCode},
        rr::{Name, RData, RecordType},
    },
};
use readiness::check::dns::{Answer, Transport};
use tokio::{net::UdpSocket, time::timeout};

use super::{random, tls::Trust};

const WAIT: Duration = Duration::from_secs(2);

/// A resolver and how it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where.
    pub at: SocketAddr,
    /// The name in its certificate, for TLS and HTTPS.
    pub name: Option<String>,
    /// How.
    pub ways: Vec<Transport>,
}

/// Resolvers of three operators, each over IPv4 and by every way.
const PUBLIC: [(&str, &str); 3] =
    [("1.1.1.1", "cloudflare-dns.com"), ("8.8.8.8", "dns.google"), ("9.9.9.9", "dns.quad9.net")];

/// The resolvers that are asked when none is named.
pub fn public() -> Vec<Server> {
    let all = PUBLIC.iter().filter_map(|(ip, name)| Some((ip.parse::<IpAddr>().ok()?, *name)));
    all.flat_map(|(ip, name)| {
        let server = |port, ways: &[Transport]| Server {
            at: SocketAddr::new(ip, port),
            name: Some(name.to_owned()),
            ways: ways.to_vec(),
        };
        [
            server(53, &[Transport::Udp, Transport::Tcp]),
            server(853, &[Transport::Dot]),
            server(443, &[Transport::Doh]),
        ]
    })
    .collect()
}

impl FromStr for Server {
    type Err = String;

    /// `9.9.9.9`, `9.9.9.9:53`, `tls://9.9.9.9#dns.quad9.net`, `https://9.9.9.9#dns.quad9.net`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no resolver: 9.9.9.9, 9.9.9.9:53, tls://9.9.9.9#dns.quad9.net or https://9.9.9.9#dns.quad9.net"
            )
        };
        let (scheme, rest) = text.split_once("://").unwrap_or(("dns", text));
        let (ways, port) = match scheme {
            "dns" => (vec![Transport::Udp, Transport::Tcp], 53),
            "tls" => (vec![Transport::Dot], 853),
            "https" => (vec![Transport::Doh], 443),
            _ => return Err(wrong()),
        };
        let (place, name) =
            rest.split_once('#').map_or((rest, None), |(place, name)| (place, Some(name.to_owned())));
        if name.is_none() && scheme != "dns" {
            return Err(wrong());
        }
        let ip = place.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port));
        let at = ip.or_else(|_| place.parse()).map_err(|_| wrong())?;
        Ok(Self { at, name, ways })
    }
}

impl Server {
    /// The resolver, whatever the way: its address, with its port where that is none of the usual ones.
    pub fn word(&self) -> String {
        match self.at.port() {
            53 | 853 | 443 => self.at.ip().to_string(),
            _ => self.at.to_string(),
        }
    }
    /// What it says about the addresses of a name, by each of its ways.
    pub async fn ask(&self, name: &str, trust: &Trust) -> Vec<(Transport, Answer)> {
        let mut answers = Vec::new();
        for way in &self.ways {
            let answer = self.addresses(name, *way, trust).await;
            let answer = match answer {
                Answer::Error(code) if code == "SERVFAIL" && unverified(self.at, name).await => Answer::Bogus,
                other => other,
            };
            answers.push((*way, answer));
        }
        answers
    }

    async fn addresses(&self, name: &str, way: Transport, trust: &Trust) -> Answer {
        let resolver = match self.resolver(way, trust) {
            Ok(resolver) => resolver,
            Err(why) => return Answer::Silent(format!("it cannot be asked so: {why}")),
        };
        let name = format!("{}.", name.trim_end_matches('.'));
        let asked = futures_util::future::join(
            resolver.lookup(name.as_str(), RecordType::A),
            resolver.lookup(name.as_str(), RecordType::AAAA),
        );
        let Ok((v4, v6)) = timeout(2 * WAIT, asked).await else { return Answer::Silent("timed out".into()) };
        let (mut addresses, mut aliases) = (Vec::new(), Vec::new());
        let mut worst = None;
        for lookup in [v4, v6] {
            match lookup {
                Ok(lookup) => {
                    for record in lookup.answers() {
                        match &record.data {
                            RData::A(ip) => addresses.push(IpAddr::V4(ip.0)),
                            RData::AAAA(ip) => addresses.push(IpAddr::V6(ip.0)),
                            RData::CNAME(alias) if !aliases.contains(&alias.0.to_string()) => {
                                aliases.push(alias.0.to_string())
                            }
                            _ => {}
                        }
                    }
                }
                Err(e) => worst = worst.or(Some(failed(&e))),
            }
        }
        match (addresses.is_empty(), worst) {
            (false, _) => Answer::Addresses { addresses, aliases },
            (true, Some(answer)) => answer,
            (true, None) => Answer::NoAddress,
        }
    }

    fn resolver(&self, way: Transport, trust: &Trust) -> Result<TokioResolver, String> {
        let name: Arc<str> = Arc::from(self.name.as_deref().unwrap_or_default());
        let protocol = match way {
            Transport::Udp => ProtocolConfig::Udp,
            Transport::Tcp => ProtocolConfig::Tcp,
            Transport::Dot => ProtocolConfig::Tls { server_name: name },
            Transport::Doh => ProtocolConfig::Https { server_name: name, path: Arc::from("/dns-query") },
        };
        let mut connection = ConnectionConfig::new(protocol);
        connection.port = self.at.port();
        let server = NameServerConfig::new(self.at.ip(), true, vec![connection]);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        if matches!(way, Transport::Dot | Transport::Doh) {
            builder = builder.with_tls_config(trust.strict().map_err(|e| e.to_string())?);
        }
        let options = builder.options_mut();
        options.timeout = WAIT;
        options.attempts = 0;
        options.cache_size = 0;
        options.edns0 = true;
        options.use_hosts_file = ResolveHosts::Never;
        builder.build().map_err(|e| e.to_string())
    }
}

fn failed(e: &NetError) -> Answer {
    match e {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => Answer::NoSuchName,
            ResponseCode::NoError => Answer::NoAddress,
            code => Answer::Error(code_word(code)),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => Answer::Error(code_word(*code)),
        NetError::Timeout => Answer::Silent("timed out".into()),
        other => Answer::Silent(other.to_string()),
    }
}

fn code_word(code: ResponseCode) -> String {
    match code {
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        other => other.to_string(),
    }
}

/// Whether it answers when it is asked not to verify signatures.
async fn unverified(at: SocketAddr, name: &str) -> bool {
    let plain = SocketAddr::new(at.ip(), if matches!(at.port(), 443 | 853) { 53 } else { at.port() });
    raw(plain, name, true)
        .await
        .is_ok_and(|answer| answer.response_code == ResponseCode::NoError && !answer.answers.is_empty())
}

/// Whether anything answers a DNS question there, and what.
pub async fn answers(at: SocketAddr, name: &str) -> Result<String, String> {
    let answer = raw(at, name, false).await?;
    Ok(format!("{}, {} records", code_word(answer.response_code), answer.answers.len()))
}

/// The IPv4 addresses that a resolver gives over UDP.
pub async fn addresses_of(at: SocketAddr, name: &str) -> Result<Vec<IpAddr>, String> {
    let answer = raw(at, name, false).await?;
    if answer.response_code != ResponseCode::NoError {
        return Err(code_word(answer.response_code));
    }
    let address = |data: &RData| match data {
        RData::A(ip) => Some(IpAddr::V4(ip.0)),
        _ => None,
    };
    Ok(answer.answers.iter().filter_map(|record| address(&record.data)).collect())
}

/// One question over UDP, built by hand.
async fn raw(at: SocketAddr, name: &str, unverified: bool) -> Result<Message, String> {
    let id = u16::from_be_bytes(random()?);
    let mut question = Message::new(id, MessageType::Query, OpCode::Query);
    question.metadata.recursion_desired = true;
    question.metadata.checking_disabled = unverified;
    let name = Name::from_str(&format!("{}.", name.trim_end_matches('.'))).map_err(|e| e.to_string())?;
    question.add_query(Query::query(name, RecordType::A));
    let question = question.to_vec().map_err(|e| e.to_string())?;
    let any: SocketAddr = if at.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await.map_err(|e| e.to_string())?;
    socket.connect(at).await.map_err(|e| e.to_string())?;
    let mut last = "timed out".to_owned();
    for _ in 0..2 {
        if let Err(e) = socket.send(&question).await {
            last = e.to_string();
            continue;
        }
        let mut bytes = [0; 4096];
        match timeout(WAIT / 2, socket.recv(&mut bytes)).await {
            Ok(Ok(length)) => {
                let answer =
                    Message::from_vec(&bytes[..length]).map_err(|e| format!("no DNS answer: {e}"))?;
                if answer.id == id {
                    return Ok(answer);
                }
            }
            Ok(Err(e)) => last = e.to_string(),
            Err(_) => {}
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_named_by_address_and_way() {
        let parse = |text: &str| text.parse::<Server>();
        assert_eq!(parse("9.9.9.9").unwrap().at, "9.9.9.9:53".parse().unwrap());
        assert_eq!(parse("[2620:fe::fe]").unwrap().at.port(), 53);
        assert_eq!(parse("127.0.0.1:5353").unwrap().word(), "127.0.0.1:5353");
        assert_eq!(parse("tls://9.9.9.9#dns.quad9.net").unwrap().ways, [Transport::Dot]);
        for bad in ["", "dns.google", "tls://9.9.9.9", "quic://9.9.9.9#x", "9.9.9.9:x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
