//! The client on this machine, over its own socket. Source: the client's LocalAPI, as its command line uses it.

use std::path::PathBuf;

use jiff::Timestamp;
use readiness::check::agent::Client;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{net::UnixStream, time::timeout};

use crate::probe::{
    PATIENCE,
    exchange::{Question, over},
};

/// The way to it.
#[derive(Debug, Clone)]
pub struct Local {
    socket: PathBuf,
}

/// What it says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Status {
    /// `Running`, `NeedsLogin`…
    pub backend_state: String,
    #[serde(rename = "TUN")]
    tun: bool,
    #[serde(rename = "TailscaleIPs")]
    addresses: Option<Vec<String>>,
    /// What it shows as warnings.
    pub health: Option<Vec<String>>,
    /// Its own node.
    #[serde(rename = "Self")]
    pub own: Option<Own>,
    current_tailnet: Option<Tailnet>,
}

/// Its own node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Own {
    public_key: String,
    #[serde(rename = "HostName")]
    host_name: String,
    #[serde(rename = "DNSName")]
    dns_name: String,
    /// Whether it holds a connection to its server.
    pub online: bool,
    /// Code of its home relay.
    pub relay: String,
    /// Until when its key is good.
    pub key_expiry: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Tailnet {
    #[serde(rename = "MagicDNSEnabled")]
    magic: bool,
}

/// What its user wants of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Prefs {
    #[serde(rename = "ControlURL")]
    control_url: String,
    /// Whether the machine resolves names through the mesh.
    #[serde(rename = "CorpDNS", default)]
    pub takes_names: bool,
}

impl Prefs {
    /// The URL of its server; empty when it was never told of one.
    pub fn url(&self) -> &str {
        self.control_url.trim_end_matches('/')
    }
}

/// The relays that it was told.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Relays {
    #[serde(rename = "Regions")]
    regions: Option<std::collections::BTreeMap<String, Region>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Region {
    region_code: String,
    nodes: Option<Vec<RelayNode>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct RelayNode {
    #[serde(rename = "HostName")]
    host_name: String,
    #[serde(rename = "DERPPort")]
    port: u16,
    #[serde(rename = "STUNOnly")]
    stun_only: bool,
}

#[derive(Deserialize)]
struct Token {
    id_token: String,
}

impl Local {
    /// Nothing is asked yet.
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    pub async fn status(&self) -> Result<Status, String> {
        self.get("/localapi/v0/status?peers=false").await
    }

    pub async fn prefs(&self) -> Result<Prefs, String> {
        self.get("/localapi/v0/prefs").await
    }

    pub async fn relays(&self) -> Result<Relays, String> {
        self.get("/localapi/v0/derpmap").await
    }

    /// A proof of which node this is; needs write access to the client.
    pub async fn token(&self, audience: &str) -> Result<String, String> {
        let path = format!("/localapi/v0/id-token?aud={}", api::escape(audience));
        Ok(self.get::<Token>(&path).await?.id_token)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let place = self.socket.display();
        let stream = timeout(PATIENCE, UnixStream::connect(&self.socket)).await;
        let stream =
            stream.map_err(|_| format!("{place} does not answer"))?.map_err(|e| format!("{place}: {e}"))?;
        let question = Question { method: "GET", path, bearer: None, body: "" };
        let (status, body) = over(Box::new(stream), "local-tailscaled.sock", question).await?;
        if status != 200 {
            let said: String = String::from_utf8_lossy(&body).trim().chars().take(200).collect();
            return Err(format!("the client answers {status}: {said}"));
        }
        serde_json::from_slice(&body).map_err(|e| format!("the client's answer does not fit: {e}"))
    }
}

impl Status {
    /// The same in the words of the checks.
    pub fn plain(&self) -> Client {
        Client {
            backend: self.backend_state.clone(),
            online: self.own.as_ref().is_some_and(|own| own.online),
            addresses: self.addresses.clone().unwrap_or_default(),
            interface: self.tun,
        }
    }
    /// Whether the mesh has names.
    pub fn has_names(&self) -> bool {
        self.current_tailnet.as_ref().is_some_and(|tailnet| tailnet.magic)
    }
    /// Its full name in the mesh, without the last dot; empty outside one.
    pub fn full_name(&self) -> &str {
        self.own.as_ref().map_or("", |own| own.dns_name.trim_end_matches('.'))
    }
    /// Its name: the label in the mesh, or the host's.
    pub fn name(&self) -> String {
        let label = self.full_name().split('.').next().unwrap_or_default();
        let host = self.own.as_ref().map_or("", |own| own.host_name.as_str());
        if label.is_empty() { host } else { label }.to_ascii_lowercase()
    }
    /// What a change of calls for another look at once.
    pub fn mark(&self) -> (String, bool, String, Vec<String>) {
        let key = self.own.as_ref().map(|own| own.public_key.clone()).unwrap_or_default();
        (self.backend_state.clone(), self.plain().online, key, self.health.clone().unwrap_or_default())
    }
}

impl Relays {
    /// Where the relays of a region are.
    pub fn of(&self, code: &str) -> Vec<(String, u16)> {
        let region =
            self.regions.iter().flat_map(|all| all.values()).find(|region| region.region_code == code);
        let nodes = region.and_then(|region| region.nodes.clone()).unwrap_or_default();
        let place = |node: RelayNode| (node.host_name, if node.port == 0 { 443 } else { node.port });
        nodes.into_iter().filter(|node| !node.stun_only).map(place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_is_understood_logged_in_or_not() {
        let status: Status = serde_json::from_str(
            r#"{"Version":"1.102.5","TUN":true,"BackendState":"Running","TailscaleIPs":["100.64.0.1","fd7a::1"],
               "Self":{"PublicKey":"nodekey:a","HostName":"Web","DNSName":"web-1.mesh.internal.","Online":true,"Relay":"mesh",
               "KeyExpiry":"2026-05-01T00:00:00Z"},"Health":["a line"],"MagicDNSSuffix":"mesh.internal",
               "CurrentTailnet":{"Name":"m","MagicDNSSuffix":"mesh.internal","MagicDNSEnabled":true}}"#,
        )
        .unwrap();
        assert_eq!((status.name().as_str(), status.full_name()), ("web-1", "web-1.mesh.internal"));
        assert!(status.has_names() && status.plain().online && status.plain().interface);
        assert!(status.own.unwrap().key_expiry.is_some());
        let out: Status = serde_json::from_str(
            r#"{"BackendState":"NeedsLogin","TailscaleIPs":null,"Self":{"HostName":"Web","DNSName":""},"Health":null,
               "CurrentTailnet":null}"#,
        )
        .unwrap();
        assert_eq!((out.name().as_str(), out.plain().online, out.has_names()), ("web", false, false));
        let relays: Relays = serde_json::from_str(
            r#"{"Regions":{"900":{"RegionCode":"mesh","Nodes":[{"HostName":"r","DERPPort":0},{"HostName":"s","STUNOnly":true}]}}}"#,
        )
        .unwrap();
        assert_eq!((relays.of("mesh"), relays.of("x")), (vec![("r".to_owned(), 443)], Vec::new()));
    }
}
