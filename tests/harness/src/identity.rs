//! The keys of one model device.

use std::sync::Arc;

use anyhow::{Context, Result};
use aws_lc_rs::digest::{SHA256, digest};
use derp::ClientKey;
use ident::{DiscoKey, MachineKey, NodeKey, Secret};
use ipnet::IpNet;
use noise::PrivateKey;
use wire::{CapVer, Hostinfo, MapRequest, RegisterAuth, RegisterRequest};

/// Machine, node and disco keys that belong together.
#[derive(Debug, Clone)]
pub struct Identity {
    pub machine: PrivateKey,
    pub node: NodeKey,
    /// `node` with its private half, which relays want to see proven.
    pub relay: Arc<ClientKey>,
    pub disco: DiscoKey,
    /// Networks that it offers to route.
    pub routes: Vec<IpNet>,
}

impl Identity {
    /// Keys of the operating system's generator.
    pub fn random() -> Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).context("random bytes")?;
        Self::derive(&seed)
    }

    /// Always the same keys for the same number.
    pub fn seeded(number: u64) -> Result<Self> {
        Self::derive(&number.to_be_bytes())
    }

    /// The same machine with another node key, as after a rotation.
    pub fn rotated(&self) -> Result<Self> {
        let fresh = Self::random()?;
        Ok(Self { machine: self.machine.clone(), routes: self.routes.clone(), ..fresh })
    }

    /// Who the server takes this device for.
    pub fn machine_key(&self) -> MachineKey {
        self.machine.public_key()
    }

    /// A registration like the Go client's first one.
    pub fn register_request(&self, auth_key: Option<&str>, hostname: &str) -> RegisterRequest {
        let auth_key = auth_key.map(|k| Secret::new(k.to_owned()));
        RegisterRequest {
            version: CapVer::OURS,
            node_key: Some(self.node),
            auth: auth_key.map(|k| RegisterAuth { auth_key: Some(k) }),
            hostinfo: Some(self.hostinfo(hostname)),
            ..RegisterRequest::default()
        }
    }

    /// A request for the long poll, bodies compressed.
    pub fn stream_request(&self, hostname: &str) -> MapRequest {
        MapRequest {
            version: CapVer::OURS,
            compress: "zstd".into(),
            keep_alive: true,
            node_key: Some(self.node),
            disco_key: Some(self.disco),
            stream: true,
            hostinfo: Some(self.hostinfo(hostname)),
            ..MapRequest::default()
        }
    }

    /// A lite update that reports these endpoints and this home region.
    pub fn report(&self, hostname: &str, endpoints: &[&str], home_derp: u32) -> MapRequest {
        let net = wire::NetInfo { preferred_derp: home_derp, ..wire::NetInfo::default() };
        MapRequest {
            stream: false,
            omit_peers: true,
            endpoints: endpoints.iter().map(ToString::to_string).collect(),
            endpoint_types: vec![1; endpoints.len()],
            hostinfo: Some(Hostinfo { net_info: Some(net), ..self.hostinfo(hostname) }),
            ..self.stream_request(hostname)
        }
    }

    fn derive(seed: &[u8]) -> Result<Self> {
        let part = |label: &[u8]| -> Result<[u8; 32]> {
            Ok(digest(&SHA256, &[label, seed].concat()).as_ref().try_into()?)
        };
        let relay = ClientKey::new(Secret::new(part(b"node")?))?;
        Ok(Self {
            machine: PrivateKey::new(part(b"machine")?)?,
            node: relay.public(),
            relay: Arc::new(relay),
            disco: DiscoKey::from_bytes(part(b"disco")?)?,
            routes: Vec::new(),
        })
    }

    fn hostinfo(&self, hostname: &str) -> Hostinfo {
        Hostinfo {
            ipn_version: "1.102.5".into(),
            os: "linux".into(),
            hostname: hostname.to_owned(),
            routable_ips: self.routes.clone(),
            ..Hostinfo::default()
        }
    }
}
