//! What may happen, in small numbers so that things meet often.

use ident::NodeId;
use proptest::{collection::vec, prelude::*};

/// One thing that happens. Nodes, tags, routes and the like are picked modulo what there is.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    Join { tag: u8 },
    JoinOfUser { user: u8 },
    Return { node: u8, tag: u8 },
    Logout { node: u8 },
    Report { node: u8, endpoints: u8, disco: u8, home: u8 },
    Describe { node: u8, name: u8, routes: u8 },
    Open { node: u8 },
    Close { node: u8 },
    Question { node: u8, answered: bool },
    Wait { seconds: u8 },
    Approve { node: u8, routes: u8 },
    Tag { node: u8, tag: u8 },
    Rename { node: u8, name: u8 },
    Expire { node: u8 },
    Delete { node: u8 },
    RenameUser { user: u8, name: u8 },
    Policy { policy: u32 },
    Dns { server: u8, record: u8 },
}

/// One batch of events and who reads behind it.
#[derive(Debug, Clone)]
pub struct Chapter {
    pub events: Vec<Event>,
    pub readers: u16,
}

impl Chapter {
    pub fn reads(&self, id: NodeId) -> bool {
        self.readers >> (id.get() % 16) & 1 == 1
    }
}

/// A story that begins with a few nodes.
pub fn chapters() -> impl Strategy<Value = Vec<Chapter>> {
    let first = (vec(prop_oneof![join(), user_joins()], 2..6), policy(), any::<u16>());
    let first = first.prop_map(|(mut events, policy, readers)| {
        events.insert(0, Event::Policy { policy });
        Chapter { events, readers }
    });
    let later = (vec(event(), 1..5), any::<u16>()).prop_map(|(events, readers)| Chapter { events, readers });
    (first, vec(later, 1..14)).prop_map(|(first, later)| std::iter::once(first).chain(later).collect())
}

/// Most policies have few rules, so that they differ in what matters to somebody.
fn policy() -> impl Strategy<Value = u32> {
    (any::<(u32, u32)>()).prop_map(|(a, b)| a & b)
}

fn join() -> impl Strategy<Value = Event> {
    any::<u8>().prop_map(|tag| Event::Join { tag })
}

fn user_joins() -> impl Strategy<Value = Event> {
    any::<u8>().prop_map(|user| Event::JoinOfUser { user })
}

fn event() -> impl Strategy<Value = Event> {
    let two = || any::<(u8, u8)>();
    prop_oneof![
        2 => join(),
        1 => user_joins(),
        1 => two().prop_map(|(node, tag)| Event::Return { node, tag }),
        1 => any::<u8>().prop_map(|node| Event::Logout { node }),
        4 => any::<(u8, u8, u8, u8)>()
            .prop_map(|(node, endpoints, disco, home)| Event::Report { node, endpoints, disco, home }),
        3 => any::<(u8, u8, u8)>().prop_map(|(node, name, routes)| Event::Describe { node, name, routes }),
        4 => any::<u8>().prop_map(|node| Event::Open { node }),
        3 => any::<u8>().prop_map(|node| Event::Close { node }),
        1 => any::<(u8, bool)>().prop_map(|(node, answered)| Event::Question { node, answered }),
        2 => any::<u8>().prop_map(|seconds| Event::Wait { seconds }),
        2 => two().prop_map(|(node, routes)| Event::Approve { node, routes }),
        1 => two().prop_map(|(node, tag)| Event::Tag { node, tag }),
        1 => two().prop_map(|(node, name)| Event::Rename { node, name }),
        1 => any::<u8>().prop_map(|node| Event::Expire { node }),
        1 => any::<u8>().prop_map(|node| Event::Delete { node }),
        1 => two().prop_map(|(user, name)| Event::RenameUser { user, name }),
        3 => policy().prop_map(|policy| Event::Policy { policy }),
        1 => two().prop_map(|(server, record)| Event::Dns { server, record }),
    ]
}
