//! A fault that is put into what one device receives, to see whether it is noticed.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use wire::MapResponse;

use crate::mark::Mark;

/// What becomes of a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Drop,
    Repeat,
    Alter,
}

/// One fault for the next delta that this device gets.
#[derive(Debug)]
pub struct Tamper {
    pub device: usize,
    fault: Fault,
    armed: AtomicBool,
    done: AtomicBool,
}

impl Tamper {
    pub fn new(device: usize, fault: Fault) -> Self {
        Self { device, fault, armed: AtomicBool::new(false), done: AtomicBool::new(false) }
    }

    /// From here on the next delta is tampered with.
    pub fn arm(&self) {
        self.armed.store(true, SeqCst);
    }

    /// Whether there was one.
    pub fn is_done(&self) -> bool {
        self.done.load(SeqCst)
    }

    /// What the device gets for this message.
    pub fn apply(&self, message: MapResponse) -> Vec<MapResponse> {
        if Mark::patched(&message).next().is_none() || !self.armed.swap(false, SeqCst) {
            return vec![message];
        }
        self.done.store(true, SeqCst);
        match self.fault {
            Fault::Drop => Vec::new(),
            Fault::Repeat => vec![message.clone(), message],
            Fault::Alter => vec![altered(message)],
        }
    }
}

/// Another last bit of the first endpoint's address, which is then another device's or nobody's.
fn altered(mut message: MapResponse) -> MapResponse {
    let endpoint =
        message.peers_changed_patch.iter_mut().flat_map(|c| c.endpoints.iter_mut().flatten()).next();
    if let Some(endpoint) = endpoint
        && let std::net::IpAddr::V4(ip) = endpoint.ip()
    {
        endpoint.set_ip(std::net::Ipv4Addr::from(u32::from(ip) ^ 1).into());
    }
    message
}

#[cfg(test)]
mod tests {
    use ident::NodeId;
    use wire::PeerChange;

    use super::*;

    #[test]
    fn one_delta_and_no_other_message() {
        let mark = Mark { device: 4, change: 2 };
        let patch = PeerChange {
            endpoints: Some(vec![mark.endpoint().unwrap()]),
            ..PeerChange::new(NodeId::new(2).unwrap())
        };
        let delta = MapResponse { peers_changed_patch: vec![patch], ..MapResponse::default() };
        for (fault, expected) in [(Fault::Drop, 0), (Fault::Repeat, 2), (Fault::Alter, 1)] {
            let tamper = Tamper::new(0, fault);
            assert_eq!(tamper.apply(delta.clone()), vec![delta.clone()]);
            tamper.arm();
            assert_eq!(tamper.apply(MapResponse::default()).len(), 1);
            assert!(!tamper.is_done());
            let got = tamper.apply(delta.clone());
            assert_eq!(got.len(), expected);
            assert_eq!(got.contains(&delta), fault == Fault::Repeat);
            assert!(tamper.is_done());
            assert_eq!(tamper.apply(delta.clone()), vec![delta.clone()]);
        }
    }
}
