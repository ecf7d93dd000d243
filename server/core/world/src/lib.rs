//! One tailnet as an immutable value, the commands that may change it and the events that do.
//!
//! Enters: a [`World`], a [`Command`], a [`Context`]. Leaves: events and an answer, or a [`Refusal`]; the next World.
//! Must not know: connections, SQL, HTTP, secrets.

mod apply;
mod class;
mod command;
mod decide;
mod describe;
mod draft;
mod event;
mod invariant;
mod load;
mod noun;
mod refusal;
mod regroup;
mod roster;
mod route;
mod state;

pub use class::{ClassId, Classes};
pub use command::{
    Answer, Command, Context, DnsEdit, KeyProof, NewOwner, NodeReport, Registered, Registration,
};
pub use decide::{Bootstrap, decide, dns_dangers};
pub use describe::Description;
pub use draft::{Change, Draft, Fields, Step};
pub use event::{DurableEvent, Event, Prepared, VolatileEvent};
pub use load::Rows;
pub use noun::{
    ApiKey, AuthKey, Dns, DnsSettings, KeyDefaults, Lifecycle, Live, Nameserver, Node, NonEmpty, Owner,
    Presence, Records, Role, Settings, User, Verifier, is_within,
};
pub use refusal::Refusal;
pub use roster::{Members, Page, Roster};
pub use state::{NextIds, World};
