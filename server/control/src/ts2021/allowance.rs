//! What a channel may hold open: a place of its own, and bytes of requests that are still coming in.
//!
//! A machine that has a node here counts for itself; everybody else counts by where they come from, and cannot take
//! the places of members.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::BoxError;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use ident::MachineKey;

use crate::quota::{Party, Pass, Quota};

const MEMBERS_MOST: usize = 100_000;
const MEMBER_CHANNELS: usize = 64;
const STRANGERS_MOST: usize = 8192;
const STRANGER_CHANNELS: usize = 256;
/// Bytes of unfinished requests: in all, and of one party.
const BODIES: usize = 16 << 20;
const BODIES_EACH: usize = 2 << 20;

/// The places of members and of strangers.
#[derive(Debug, Clone)]
pub struct Allowances {
    members: Allowance,
    strangers: Allowance,
}

impl Allowances {
    /// For a process that may have so many files open.
    pub fn new(open_files: usize) -> Self {
        let members = (open_files / 8 * 5).min(MEMBERS_MOST);
        let strangers = (open_files / 8).min(STRANGERS_MOST);
        Self {
            members: Allowance::new(members, MEMBER_CHANNELS),
            strangers: Allowance::new(strangers, STRANGER_CHANNELS),
        }
    }

    /// A place for one more channel; `None` when there is none for this party.
    pub fn enter(&self, machine: MachineKey, is_member: bool, remote: SocketAddr) -> Option<Place> {
        let (allowance, party) = if is_member {
            (&self.members, Party::Machine(machine))
        } else {
            (&self.strangers, Party::at(remote))
        };
        let channel = allowance.channels.enter(party)?;
        Some(Place { party, bodies: allowance.bodies.clone(), _channel: channel })
    }
}

#[derive(Debug, Clone)]
struct Allowance {
    channels: Arc<Quota>,
    bodies: Arc<Quota>,
}

impl Allowance {
    fn new(in_all: usize, each: usize) -> Self {
        Self { channels: Quota::new(in_all, each), bodies: Quota::new(BODIES, BODIES_EACH) }
    }
}

/// A channel's place, given back when dropped.
#[derive(Debug)]
pub struct Place {
    party: Party,
    bodies: Arc<Quota>,
    _channel: Pass,
}

impl Place {
    /// The same body, whose bytes count until it is dropped.
    pub fn metered<B>(&self, body: B) -> Metered<B> {
        Metered { body, bytes: self.bodies.none(self.party) }
    }
}

/// The error of a body for which there is no room now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many unfinished requests")]
pub struct NoRoom;

/// A request's body, which ends with [`NoRoom`] when its party has its share.
#[derive(Debug)]
pub struct Metered<B> {
    body: B,
    bytes: Pass,
}

impl<B> Body for Metered<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let Some(Ok(frame)) = frame else { return Poll::Ready(frame.map(|f| f.map_err(Into::into))) };
        let len = frame.data_ref().map_or(0, Bytes::len);
        let fits = self.bytes.grow(len);
        Poll::Ready(Some(if fits { Ok(frame) } else { Err(NoRoom.into()) }))
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full};

    fn machine(n: u8) -> MachineKey {
        MachineKey::from_bytes([n; 32]).unwrap()
    }
    fn remote(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().unwrap(), 7)
    }

    #[test]
    fn strangers_cannot_take_the_places_of_members() {
        let all = Allowances::new(800);
        let mut held: Vec<Place> = (0..100)
            .map(|n| all.enter(machine(1), false, remote(&format!("192.0.2.{n}"))).unwrap())
            .collect();
        assert!(all.enter(machine(1), false, remote("198.51.100.1")).is_none());
        held.extend((0..64).map(|_| all.enter(machine(1), true, remote("192.0.2.1")).unwrap()));
        assert!(all.enter(machine(1), true, remote("192.0.2.1")).is_none());
        assert!(all.enter(machine(2), true, remote("192.0.2.1")).is_some());
        held.clear();
        assert!(all.enter(machine(1), false, remote("198.51.100.1")).is_some());
    }

    #[test]
    fn one_household_of_strangers_has_a_share() {
        let all = Allowances::new(100_000);
        let held: Vec<Place> =
            (1..=255).map(|n| all.enter(machine(n), false, remote("192.0.2.1")).unwrap()).collect();
        let last = all.enter(machine(1), false, remote("192.0.2.1"));
        assert!(last.is_some() && all.enter(machine(1), false, remote("192.0.2.1")).is_none());
        drop(held);
        assert!(all.enter(machine(1), false, remote("192.0.2.1")).is_some());
    }

    #[tokio::test]
    async fn bytes_count_until_the_body_is_gone() {
        let all = Allowances::new(800);
        let place = all.enter(machine(1), true, remote("192.0.2.1")).unwrap();
        let full = || Full::new(Bytes::from(vec![0; 1 << 20]));
        let mut held = Vec::new();
        for _ in 0..2 {
            let mut body = place.metered(full());
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().len(), 1 << 20);
            held.push(body);
        }
        let refused = place.metered(full()).frame().await.unwrap().unwrap_err();
        assert_eq!(refused.downcast_ref(), Some(&NoRoom));
        held.pop();
        assert!(place.metered(full()).frame().await.unwrap().is_ok());
    }
}
