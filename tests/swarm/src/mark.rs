//! Endpoints that say of themselves whose they are and which change they are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use wire::{MapResponse, PeerChange};

/// 198.18.0.0/15 is set apart for measurements (RFC 2544): no real client reports it.
const BASE: u32 = u32::from_be_bytes([198, 18, 0, 0]);
const SPAN: u32 = 1 << 17;

/// The endpoint of device `device` after its change number `change`, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub device: usize,
    pub change: u16,
}

impl Mark {
    /// As an endpoint to report. A device has 65,535 of them.
    pub fn endpoint(self) -> Result<SocketAddr> {
        let device =
            u32::try_from(self.device).ok().filter(|d| *d < SPAN).context("more devices than marks")?;
        let port = self.change.checked_add(1).context("more changes than marks")?;
        Ok(SocketAddr::from((Ipv4Addr::from(BASE + device), port)))
    }

    /// Reads it back.
    pub fn of(endpoint: SocketAddr) -> Option<Self> {
        let IpAddr::V4(ip) = endpoint.ip() else { return None };
        let device = u32::from(ip).checked_sub(BASE).filter(|d| *d < SPAN)?;
        Some(Self { device: usize::try_from(device).ok()?, change: endpoint.port().checked_sub(1)? })
    }

    /// All that come with whole nodes.
    pub fn whole(message: &MapResponse) -> impl Iterator<Item = Self> {
        let nodes = message.peers.iter().flatten().chain(&message.peers_changed);
        nodes.flat_map(|n| &n.endpoints).filter_map(|e| Self::of(*e))
    }

    /// All that come as changes of single fields, and whether the endpoint is the only one.
    pub fn patched(message: &MapResponse) -> impl Iterator<Item = (Self, bool)> {
        message.peers_changed_patch.iter().flat_map(|change| {
            let endpoints = change.endpoints.clone();
            let alone = *change == PeerChange { endpoints, ..PeerChange::new(change.node_id) };
            change.endpoints.iter().flatten().filter_map(move |e| Some((Self::of(*e)?, alone)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_names_its_mark() {
        for (device, change) in [(0, 0), (1, 1), (700, 65_534), (131_071, 3)] {
            let mark = Mark { device, change };
            assert_eq!(Mark::of(mark.endpoint().unwrap()), Some(mark));
        }
        assert!(Mark { device: 131_072, change: 0 }.endpoint().is_err());
        assert!(Mark { device: 0, change: 65_535 }.endpoint().is_err());
        assert_eq!(Mark::of("192.0.2.1:5".parse().unwrap()), None);
        assert_eq!(Mark::of("198.20.0.0:5".parse().unwrap()), None);
    }
}
