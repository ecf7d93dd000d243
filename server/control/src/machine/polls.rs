//! Long polls that are open. Only the newest of a node says anything; an older one ends as soon as its client takes what
//! it was given, and a client that does not is hung up on, so that it holds no more than one poll's worth.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use ident::NodeId;

use crate::ts2021::Channel;

/// A new poll may overlap the one before it.
const LIVE: usize = 2;
/// On one channel a client ends a poll and begins the next faster than the end is seen here.
const ON_ONE_CHANNEL: usize = 16;

/// By node, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Polls(Mutex<BTreeMap<NodeId, VecDeque<Open>>>);

#[derive(Debug)]
struct Open {
    epoch: u64,
    channel: Channel,
}

impl Polls {
    /// One more poll. What has become too much is hung up on.
    pub(super) fn opened(&self, node: NodeId, epoch: u64, channel: Channel) {
        let mut polls = self.lock();
        let polls = polls.entry(node).or_default();
        polls.push_back(Open { epoch, channel: channel.clone() });
        let (mut elsewhere, mut here) = (1, 0);
        polls.iter().rev().for_each(|poll| {
            let most = if poll.channel.is(&channel) {
                here += 1;
                here <= ON_ONE_CHANNEL
            } else {
                elsewhere += 1;
                elsewhere <= LIVE
            };
            if !most {
                poll.channel.hang_up();
            }
        });
    }

    /// The poll is gone.
    pub(super) fn closed(&self, node: NodeId, epoch: u64) {
        let mut all = self.lock();
        let Some(polls) = all.get_mut(&node) else { return };
        polls.retain(|poll| poll.epoch != epoch);
        if polls.is_empty() {
            all.remove(&node);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, VecDeque<Open>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId::FIRST;

    #[test]
    fn older_channels_are_hung_up_on_and_the_newest_stays() {
        let polls = Polls::default();
        let channels: Vec<Channel> = (0..4).map(|_| Channel::default()).collect();
        for (epoch, channel) in (0..).zip(&channels) {
            polls.opened(NODE, epoch, channel.clone());
        }
        let ended: Vec<_> = channels.iter().map(Channel::is_hung_up).collect();
        assert_eq!(ended, [true, true, false, false]);
        polls.opened(NODE.next(), 9, Channel::default());
        assert!(!channels[2].is_hung_up(), "another node is another node");
        (0..4).for_each(|epoch| polls.closed(NODE, epoch));
        assert_eq!(polls.lock().len(), 1);
        polls.opened(NODE, 10, Channel::default());
        assert!(!channels[3].is_hung_up(), "what is closed does not count");
    }

    #[test]
    fn one_channel_may_begin_again_some_times() {
        let (polls, channel) = (Polls::default(), Channel::default());
        (0..16).for_each(|epoch| polls.opened(NODE, epoch, channel.clone()));
        assert!(!channel.is_hung_up());
        polls.opened(NODE, 16, channel.clone());
        assert!(channel.is_hung_up());
    }
}
