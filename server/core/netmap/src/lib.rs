//! What one node may see, and what has changed for it.
//!
//! Enters: Worlds, which node looks, the relays. Leaves: whole maps, differences, and their JSON.
//! Must not know: who is connected where, compression, the clock.

mod concern;
mod delta;
mod filter;
mod full;
mod login;
mod patch;
mod peer;
mod profile;
mod render;
mod shift;
mod source;
mod span;
mod whole;

pub use concern::Concern;
pub use delta::PeerDelta;
pub use filter::filters;
pub use full::{Site, dns, farewell, full, head, relays};
pub use login::Logins;
pub use peer::{has_routes, own_devices, peer, route_view, self_node, visible};
pub use profile::{owner_profile, profiles};
pub use render::{Own, Piece, Pieces, Render, peer_json};
pub use source::{Origin, sources};
pub use span::Span;
pub use whole::{Block, Likeness, Whole, close, open};
