//! The nouns of a tailnet.

mod dns;
mod key;
mod node;
mod owner;
mod settings;
mod user;

pub use dns::{Dns, DnsSettings, Nameserver, Records, is_within};
pub use key::{ApiKey, AuthKey, KeyDefaults, Role, Verifier};
pub use node::{Lifecycle, Live, Node, Presence};
pub use owner::{NonEmpty, Owner};
pub use settings::Settings;
pub use user::User;
