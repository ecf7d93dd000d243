//! The control server: sockets, TLS, SQL, HTTP and timers around the pure core; and its relay, standing alone. The only
//! composition roots are here.
//!
//! Enters: a resolved [`config::Config`]. Leaves: a running [`Server`], or a [`standalone::Standalone`] relay. Must not know: flags, terminals, Ansible.

pub mod admin;
mod agent;
mod arrival;
pub mod backup;
mod bootstrap;
mod calls;
mod certificate;
pub mod config;
mod doors;
pub mod fanout;
mod files;
pub mod keyring;
mod listen;
mod login;
mod machine;
mod mark;
pub mod metrics;
mod monitor;
pub mod pending;
mod quota;
mod records;
pub mod relay;
mod reports;
mod revoked;
mod security;
mod server;
mod site;
pub mod standalone;
pub mod store;
mod timers;
mod ts2021;
mod verdict;
mod verify;
mod websocket;
pub mod writer;

pub use doors::Doors;
pub use files::FileFault;
pub use listen::Listener;
pub use server::{Fault, Ready, Server, Source};

/// The policy that `quickstart` begins with: nothing but what its roles need.
pub const STARTER_POLICY: &str = include_str!("../templates/starter-policy.hujson");
/// The roles that `quickstart` begins with, as `meshctl role apply` reads them.
pub const STARTER_ROLES: &str = include_str!("../templates/starter-roles.yaml");
