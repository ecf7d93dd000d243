//! One map stream: it remembers how far it has come, and nothing of what it said.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ident::NodeKey;
use netmap::{Own, Whole, relays};
use wire::MapResponse;
use world::{Lifecycle, Node, World};

use super::{
    Encoding, Hub,
    frame::{FrameError, framed, rendered},
    log::Published,
    seat::Seat,
    tally::{BEAT, DIFFERENCE, WHOLE},
    whole::{Place, SLICE},
};

/// Clients give up after 120 s of silence; proxies often after 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(45);
const JITTER_MILLIS: u64 = 8000;

/// The stream of one node, until it is dropped or ends.
#[derive(Debug)]
pub struct Session {
    hub: Arc<Hub>,
    seat: Arc<Seat>,
    key: Option<NodeKey>,
    encoding: Encoding,
    /// The last World that the client was told of; none before the first message.
    cursor: Option<u64>,
    site: u64,
    /// What is left of a whole map, in parts that others may hold as well.
    parts: VecDeque<Bytes>,
    ready: VecDeque<Bytes>,
    /// Held until a whole map is taken.
    place: Option<Place>,
    beats: u64,
}

/// Why nothing more is said.
enum End {
    /// The node is gone, logged out, or has another key; or it must begin again.
    Over,
    /// Ours.
    Fault(FrameError),
}

impl From<FrameError> for End {
    fn from(e: FrameError) -> Self {
        End::Fault(e)
    }
}

impl Session {
    pub(super) fn new(hub: Arc<Hub>, seat: Arc<Seat>, encoding: Encoding) -> Self {
        let key = hub.world().nodes.get(seat.node).map(|n| n.node_key);
        let (parts, ready) = (VecDeque::new(), VecDeque::new());
        Self { hub, seat, key, encoding, cursor: None, site: 0, parts, ready, place: None, beats: 0 }
    }

    /// How its messages are packed.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// What comes next of messages with their length in front: the whole map, then what changes, and a keepalive within
    /// 50 s of silence. A whole map comes in slices of at most 64 KiB, the others are one slice each. None when the stream is over. Dropping
    /// the future loses nothing.
    pub async fn next(&mut self) -> Option<Bytes> {
        let silent_until = tokio::time::Instant::now() + self.silence();
        loop {
            if self.seat.is_closed() {
                return None;
            }
            let kind = if self.parts.is_empty() { DIFFERENCE } else { WHOLE };
            if let Some(slice) = self.slice() {
                self.hub.tally.sent(kind, usize::from(kind == DIFFERENCE), slice.len());
                return Some(slice);
            }
            self.place = None;
            if self.needs_whole() {
                self.place = Some(self.hub.atlas.place().await);
            }
            let begun = Instant::now();
            match self.compose() {
                Ok(()) => {}
                Err(End::Over) => return None,
                Err(End::Fault(e)) => {
                    tracing::error!(node = %self.seat.node, error = %e, "a message could not be rendered");
                    return None;
                }
            }
            if !self.ready.is_empty() || !self.parts.is_empty() {
                self.hub.pace.spend(begun.elapsed());
                continue;
            }
            tokio::select! {
                () = self.seat.news() => {}
                () = tokio::time::sleep_until(silent_until) => {
                    self.beats += 1;
                    let beat = self.hub.keep_alive(self.encoding);
                    self.hub.tally.sent(BEAT, 1, beat.len());
                    return Some(beat);
                }
            }
        }
    }

    /// HTTP/2 keeps a slot for each slice that waits, so parts are put together.
    fn slice(&mut self) -> Option<Bytes> {
        let Some(first) = self.parts.front_mut() else { return self.ready.pop_front() };
        if first.len() > SLICE {
            return Some(first.split_to(SLICE));
        }
        let slice = self.hub.atlas.slice(|slice| {
            while let Some(part) = self.parts.pop_front_if(|part| slice.len() + part.len() <= SLICE) {
                slice.extend_from_slice(&part);
            }
        });
        if self.parts.is_empty() {
            self.parts = VecDeque::new();
        }
        Some(slice)
    }

    /// Whether the client has nothing yet, or nothing that a difference could follow.
    fn needs_whole(&self) -> bool {
        let told = self.hub.told.load();
        let is_known = |cursor| self.seat.behind(cursor, told.seq).is_none_or(|from| told.reaches(from));
        self.cursor.is_none_or(|cursor| !is_known(cursor))
    }

    fn silence(&self) -> Duration {
        silence(self.seat.node.get(), self.beats)
    }

    /// Puts together what is new, if anything.
    fn compose(&mut self) -> Result<(), End> {
        let front = self.hub.front.load_full();
        let node = front.world.nodes.get(self.seat.node);
        let node = node.filter(|n| n.lifecycle == Lifecycle::Active && Some(n.node_key) == self.key);
        let Some(node) = node.cloned() else { return self.part(&front.world) };
        let Some(cursor) = self.cursor else { return self.whole(&front, &node) };
        self.questions()?;
        self.site_news()?;
        self.notice()?;
        let told = self.hub.told.load_full();
        if let Some(from) = self.seat.behind(cursor, told.seq) {
            match self.hub.bodies.span(from, &told) {
                Some(span) => self.difference(from, &told, &span)?,
                None => self.again(&told)?,
            }
        }
        self.cursor = Some(cursor.max(told.seq));
        self.seat.caught_up(told.seq);
        Ok(())
    }

    /// Who was deleted is told so, and then no more.
    fn part(&mut self, world: &World) -> Result<(), End> {
        let is_gone = self.cursor.is_some() && world.nodes.get(self.seat.node).is_none();
        let key = self.key.take().filter(|_| is_gone).ok_or(End::Over)?;
        self.ready.extend(self.hub.farewell(Some(self.seat.node), key, self.encoding));
        Ok(())
    }

    fn whole(&mut self, at: &Published, node: &Node) -> Result<(), End> {
        let (site, parts) = self.hub.whole(at, node, self.encoding)?;
        self.parts.extend(parts);
        self.hub.tally.sent(WHOLE, 1, 0);
        (self.cursor, self.site) = (Some(at.seq), site);
        Ok(())
    }

    /// Too far behind: the whole map replaces what the client has, which an empty list of peers cannot do.
    fn again(&mut self, at: &Published) -> Result<(), End> {
        let Some(node) = at.world.nodes.get(self.seat.node).cloned() else { return Err(End::Over) };
        if Whole::of(&at.world, &node).blocks().is_empty() {
            return Err(End::Over);
        }
        // Left out of a message, the rules of SSH would stay as they are.
        if self.hub.bodies.logins(&at.world, &node).rules.is_empty() {
            let none = MapResponse { ssh_policy: Some(Arc::default()), ..MapResponse::default() };
            self.ready.push_back(rendered(&none, self.encoding)?);
        }
        self.whole(at, &node)
    }

    /// The private part goes first, so that no peer is told of before the filter that holds it off.
    fn difference(&mut self, from: u64, told: &Published, span: &netmap::Span) -> Result<(), End> {
        let viewer = self.seat.node;
        let bodies = &self.hub.bodies;
        let mut private = span.private(viewer, &mut |rule| bodies.sources(&span.new, rule));
        if let Some(policy) = bodies.changed_logins(span, viewer) {
            private.get_or_insert_default().ssh_policy = Some(policy);
        }
        if span.changes_relays() {
            let site = self.hub.site();
            private.get_or_insert_default().derp_map = Some(span.relays(&site));
        }
        let classes = span.classes_of(viewer);
        let shared = bodies.shared((from, told.seq), classes, span)?;
        let own = Own::of(span, viewer, &mut |world, node, class| bodies.peer(world, node, class))
            .map_err(FrameError::from)?;
        if span.regroups(viewer) {
            let head = private.unwrap_or_default();
            let json = shared.pieces.message_to(&own, head).map_err(FrameError::from)?;
            self.push(json)?;
        } else {
            if let Some(private) = private {
                self.ready.push_back(rendered(&private, self.encoding)?);
            }
            if own.is_nothing(span) {
                self.ready.extend(shared.body(self.encoding)?);
            } else {
                let head = MapResponse::default();
                self.push(shared.pieces.message_to(&own, head).map_err(FrameError::from)?)?;
            }
        }
        if let Some(at) = told.waits_since(from) {
            self.hub.tally.told_after(at.elapsed());
        }
        Ok(())
    }

    /// One in a message; as a keepalive it costs the client no look at the rest of its map.
    fn questions(&mut self) -> Result<(), End> {
        for question in self.seat.questions() {
            let message = MapResponse { ping_request: Some(question), ..MapResponse::keep_alive() };
            self.ready.push_back(rendered(&message, self.encoding)?);
        }
        Ok(())
    }

    fn site_news(&mut self) -> Result<(), End> {
        let posted = self.hub.posted.load_full();
        if posted.number != self.site {
            let message = MapResponse {
                derp_map: Some(relays(&self.hub.world(), &posted.site)),
                ..MapResponse::default()
            };
            self.ready.push_back(rendered(&message, self.encoding)?);
            self.site = posted.number;
        }
        Ok(())
    }

    fn notice(&mut self) -> Result<(), End> {
        let notice = self.hub.notice.load_full();
        if self.seat.takes(notice.number) {
            let health = Some(notice.text.iter().cloned().collect());
            let message = MapResponse { health, ..MapResponse::default() };
            self.ready.push_back(rendered(&message, self.encoding)?);
        }
        Ok(())
    }

    fn push(&mut self, json: Option<Vec<u8>>) -> Result<(), FrameError> {
        if let Some(json) = json {
            self.ready.push_back(framed(&json, self.encoding)?);
        }
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.hub.seats().leave(&self.seat);
    }
}

/// From 41 to 49 s, another one each time, so that streams that began together drift apart.
fn silence(node: u64, beats: u64) -> Duration {
    let mixed = (node ^ beats.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    KEEP_ALIVE + Duration::from_millis(mixed % JITTER_MILLIS) - Duration::from_millis(JITTER_MILLIS / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keepalives_come_in_time_and_not_together() {
        let all: std::collections::BTreeSet<_> = (1..1000).map(|node| silence(node, 0)).collect();
        assert!(all.first().unwrap() >= &Duration::from_secs(41));
        assert!(all.last().unwrap() < &Duration::from_secs(49));
        assert!(all.len() > 500, "spread over {} moments", all.len());
        assert_ne!(silence(1, 0), silence(1, 1));
    }
}
