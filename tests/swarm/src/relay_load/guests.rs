//! The relay under load, and the nodes it lets in.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result, ensure};
use api::server::RelayTraffic;
use derp::ClientKey;
use harness::Identity;
use ident::Secret;
use noise::PrivateKey;
use tokio::task::JoinSet;

use super::RelayArgs;
use crate::{
    args::program,
    fleet::{AT_ONCE, Device},
    gauge::Gauge,
    server::{Admin, Server},
    target::Pass,
    topology::Topology,
};

/// A relay that admits guests.
pub struct House {
    pub address: SocketAddr,
    pub gauge: Gauge,
    own: Option<(Server, Admin)>,
}

impl House {
    /// The one that the command line names, or a fresh one where so many nodes are registered.
    pub async fn open(args: &RelayArgs, guests: usize) -> Result<Self> {
        if let (Some(address), Some(pid)) = (args.address, args.pid) {
            return Ok(Self { address, gauge: Gauge::of(pid), own: None });
        }
        let server = Server::spawn(&program(args.spawn.as_ref())?, "").await?;
        let admin = server.admin()?;
        admin.prepare(Topology::Mesh).await.with_context(|| server.log())?;
        let relay = admin.status().await?.relay.context("a server with a relay")?;
        let house = Self {
            address: SocketAddr::new([127, 0, 0, 1].into(), relay.derp_port),
            gauge: server.gauge(),
            own: Some((server, admin)),
        };
        house.invite(guests).await?;
        Ok(house)
    }

    /// The key of a guest.
    pub fn guest(&self, number: usize) -> Result<ClientKey> {
        Ok(ClientKey::new(Secret::new(raw_key(number)))?)
    }

    /// The relay's own counters, of one that tells them.
    pub async fn traffic(&self) -> Result<Option<RelayTraffic>> {
        let Some((_, admin)) = &self.own else { return Ok(None) };
        Ok(admin.status().await?.relay.map(|relay| relay.traffic))
    }

    /// What came of the load, unless the server has ended.
    pub fn close<T>(self, outcome: Result<T>) -> Result<T> {
        let Some((mut server, _)) = self.own else { return outcome };
        let ended = server.ended()?;
        ensure!(ended.is_none(), "the server ended: {ended:?}\n{}", server.log());
        outcome.with_context(|| server.log())
    }

    async fn invite(&self, guests: usize) -> Result<()> {
        let Some((server, admin)) = &self.own else { return Ok(()) };
        let control = Arc::new(harness::Server::find(&server.url, None).await?);
        let (mut joining, mut numbers) = (JoinSet::new(), 0..guests);
        loop {
            while joining.len() < AT_ONCE
                && let Some(number) = numbers.next()
            {
                let (control, admin) = (Arc::clone(&control), admin.clone());
                joining.spawn(async move {
                    let pass = Pass::Key(admin.mint(0, false).await?);
                    device(number)?.register(&control, &pass, false).await
                });
            }
            let Some(joined) = joining.join_next().await else { return Ok(()) };
            joined??;
        }
    }
}

fn device(number: usize) -> Result<Device> {
    let node_private = PrivateKey::new(raw_key(number))?;
    let node = ident::NodeKey::from_bytes(*node_private.public_key().as_bytes())?;
    let identity = Identity { node, ..Identity::seeded(number as u64)? };
    Ok(Device { number, hostname: format!("relayed-{number}"), identity })
}

/// Another key for each number: some bits at both ends of a private key do not count, those in the middle do.
fn raw_key(number: usize) -> [u8; 32] {
    let mut raw = [0x51; 32];
    raw[8..16].copy_from_slice(&(number as u64).to_le_bytes());
    raw
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_guest_is_somebody_else() {
        let keys = (0..300).map(|n| ClientKey::new(Secret::new(raw_key(n))).unwrap().public());
        assert_eq!(keys.collect::<BTreeSet<_>>().len(), 300);
        assert_eq!(
            device(7).unwrap().identity.node,
            ClientKey::new(Secret::new(raw_key(7))).unwrap().public()
        );
    }
}
