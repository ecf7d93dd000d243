//! A client's way to its server: name, connection, TLS, `/key`, upgrade, Noise.

use std::net::SocketAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use ident::MachineKey;
use jiff::{Timestamp, fmt::rfc2822};
use noise::{Initiator, PrivateKey, RESPONSE_LEN};
use readiness::check::control::{Attempt, Stop};
use reqwest::Url;
use tokio::{io::AsyncReadExt, net::lookup_host, time::timeout};
use wire::CapVer;

use super::{
    PATIENCE, http, random,
    tls::{NoWay, Presented, Stream, Trust, connect},
};

const PROTOCOL: &str = "tailscale-control-protocol";

/// Everything that was seen on the way.
#[derive(Debug, Clone)]
pub struct Way {
    /// How far it went.
    pub attempt: Attempt,
    /// The addresses of the host.
    pub addresses: Vec<SocketAddr>,
    /// What was presented in TLS, if there was TLS.
    pub presented: Option<Presented>,
    /// What the server's clock said, between two moments of this one.
    pub clock: Option<(Timestamp, Timestamp, Timestamp)>,
    /// Host and port.
    pub place: Option<(String, u16)>,
}

/// Goes as far as it can.
pub async fn go(url: &str, trust: &Trust) -> Way {
    let attempt = Attempt { url: url.to_owned(), steps: Vec::new(), key: None, stop: None };
    let way = Way { attempt, addresses: Vec::new(), presented: None, clock: None, place: None };
    Traveller { trust, way, secure: false, at: None }.go().await
}

struct Traveller<'a> {
    trust: &'a Trust,
    way: Way,
    secure: bool,
    at: Option<SocketAddr>,
}

impl Traveller<'_> {
    async fn go(mut self) -> Way {
        let stop = match timeout(3 * PATIENCE, self.steps()).await {
            Ok(Ok(())) => None,
            Ok(Err(stop)) => Some(stop),
            Err(_) => Some(Stop::Unreachable(format!("not done within {} s", 3 * PATIENCE.as_secs()))),
        };
        self.way.attempt.stop = stop;
        self.way
    }

    async fn steps(&mut self) -> Result<(), Stop> {
        self.resolve().await?;
        let key = self.key().await?;
        let (mut stream, ahead, initiator) = self.upgrade(key).await?;
        let response = first(&mut stream, ahead).await.map_err(|e| Stop::Noise(e.to_string()))?;
        initiator.finish(&response).map_err(|e| Stop::Noise(e.to_string()))?;
        self.saw("a Noise handshake with a throw-away key", "a channel");
        Ok(())
    }

    async fn resolve(&mut self) -> Result<(), Stop> {
        let url: Url = self.way.attempt.url.parse().map_err(|e| Stop::Url(format!("{e}")))?;
        self.secure = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(Stop::Url(format!("{other} is neither http nor https"))),
        };
        let host = url
            .host_str()
            .ok_or_else(|| Stop::Url("it names no host".into()))?
            .trim_matches(['[', ']'])
            .to_owned();
        let port = url.port_or_known_default().unwrap_or(443);
        self.way.place = Some((host.clone(), port));
        let found = timeout(PATIENCE, lookup_host((host.as_str(), port))).await;
        let found =
            found.map_err(|_| Stop::Resolve("the resolver of this machine does not answer".into()))?;
        self.way.addresses = found.map_err(|e| Stop::Resolve(e.to_string()))?.collect();
        let all: Vec<_> = self.way.addresses.iter().map(|a| a.ip().to_string()).collect();
        self.note(format!("addresses of {host}"), "this machine's resolver", all.join(" "));
        if self.way.addresses.is_empty() {
            return Err(Stop::Resolve("no address".into()));
        }
        Ok(())
    }

    /// A connection to the first address that takes one.
    async fn connect(&mut self) -> Result<Stream, Stop> {
        let host = self.way.place.as_ref().map(|(host, _)| host.clone()).unwrap_or_default();
        let mut last = Stop::Unreachable("no address".into());
        let addresses = self.at.map_or_else(|| self.way.addresses.clone(), |at| vec![at]);
        for at in addresses.into_iter().take(4) {
            match connect(at, self.secure.then_some(host.as_str()), self.trust).await {
                Ok((stream, presented)) => {
                    self.at = Some(at);
                    let distrust = presented.as_ref().and_then(|p| p.distrust.clone());
                    self.way.presented = presented;
                    return match distrust {
                        Some(why) => Err(Stop::Tls(why)),
                        None => Ok(stream),
                    };
                }
                Err(NoWay::Refused) => last = Stop::Refused(at.to_string()),
                Err(NoWay::Unreachable(why)) => last = Stop::Unreachable(format!("{at}: {why}")),
                Err(NoWay::Tls(why)) => last = Stop::Tls(why),
            }
        }
        Err(last)
    }

    async fn key(&mut self) -> Result<MachineKey, Stop> {
        let mut stream = self.connect().await?;
        let request = format!(
            "GET /key?v={} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            CapVer::OURS.0,
            self.host()
        );
        let before = Timestamp::now();
        let asked = timeout(PATIENCE, http::ask(&mut stream, &request)).await;
        let mut head =
            asked.map_err(|_| unanswered("/key"))?.map_err(|e| Stop::Unreachable(format!("/key: {e}")))?;
        let date = head.get("date").and_then(|date| rfc2822::parse(date).ok());
        self.way.clock = date.map(|date| (before, date.timestamp(), Timestamp::now()));
        let body = timeout(PATIENCE, http::body(&mut stream, &mut head)).await.unwrap_or_default();
        let answer: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        let key = answer
            .as_ref()
            .and_then(|a| a["publicKey"].as_str())
            .and_then(|key| key.parse::<MachineKey>().ok());
        self.saw(
            "GET /key",
            &format!("{}{}", head.status, if key.is_some() { ", a key" } else { ", no key" }),
        );
        let Some(key) = key.filter(|_| head.status == 200) else {
            return Err(Stop::Key { status: head.status, hops: head.hops(), body: short(&body) });
        };
        self.way.attempt.key = Some(key.to_string());
        Ok(key)
    }

    async fn upgrade(&mut self, key: MachineKey) -> Result<(Stream, Vec<u8>, Initiator), Stop> {
        let (machine, ephemeral) = (random().map_err(Stop::Noise)?, random().map_err(Stop::Noise)?);
        let machine = PrivateKey::new(machine).map_err(|e| Stop::Noise(e.to_string()))?;
        let version = u16::try_from(CapVer::OURS.0).unwrap_or(u16::MAX);
        let made = Initiator::new(&machine, key, ephemeral, version);
        let (initiation, initiator) = made.map_err(|e| Stop::Noise(e.to_string()))?;
        let mut stream = self.connect().await?;
        let request = format!(
            "POST /ts2021 HTTP/1.1\r\nHost: {}\r\nUpgrade: {PROTOCOL}\r\nConnection: upgrade\r\nX-Tailscale-Handshake: {}\r\nContent-Length: 0\r\n\r\n",
            self.host(),
            STANDARD.encode(initiation),
        );
        let asked = timeout(PATIENCE, http::ask(&mut stream, &request)).await;
        let mut head = asked
            .map_err(|_| unanswered("/ts2021"))?
            .map_err(|e| Stop::Unreachable(format!("/ts2021: {e}")))?;
        self.saw(&format!("POST /ts2021 with Upgrade: {PROTOCOL}"), &head.status.to_string());
        if head.status != 101 {
            let body = timeout(PATIENCE / 4, http::body(&mut stream, &mut head)).await.unwrap_or_default();
            return Err(Stop::Upgrade { status: head.status, hops: head.hops(), body: short(&body) });
        }
        Ok((stream, head.ahead, initiator))
    }

    fn host(&self) -> String {
        let Some((host, port)) = &self.way.place else { return String::new() };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let usual = if self.secure { 443 } else { 80 };
        if *port == usual { host } else { format!("{host}:{port}") }
    }
    fn saw(&mut self, asked: &str, answer: &str) {
        let of = self.at.map(|at| at.to_string()).unwrap_or_default();
        self.note(asked.to_owned(), &of, answer.to_owned());
    }
    fn note(&mut self, asked: String, of: &str, answer: String) {
        self.way.attempt.steps.push((asked, of.to_owned(), answer));
    }
}

/// The handshake's response, or an error frame: three bytes of header with the length of the rest.
async fn first(stream: &mut Stream, mut bytes: Vec<u8>) -> std::io::Result<Vec<u8>> {
    let read = async {
        loop {
            if let [_, a, b, rest @ ..] = &bytes[..] {
                let wanted = usize::from(u16::from_be_bytes([*a, *b])).min(RESPONSE_LEN.max(1 << 10));
                if rest.len() >= wanted {
                    bytes.truncate(3 + wanted);
                    return Ok(bytes);
                }
            }
            let mut chunk = [0; 512];
            let read = stream.read(&mut chunk).await?;
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            bytes.extend_from_slice(&chunk[..read]);
        }
    };
    timeout(PATIENCE, read).await.map_err(|_| std::io::ErrorKind::TimedOut)?
}

fn unanswered(path: &str) -> Stop {
    Stop::Unreachable(format!("{path} was not answered within {} s", PATIENCE.as_secs()))
}

fn short(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned()
}
