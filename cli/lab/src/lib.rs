//! Hosts in network namespaces, real clients on them, and the server under test.
//!
//! Enters: names of hosts, commands, a server binary. Leaves: outputs, states, log files. Must not know what the
//! server does inside; it is spoken to as an operator would, by its command line.
//!
//! A host is the set of namespaces (network, mounts, process ids, name) of one small process that lives as long as
//! its standard input is open. Whatever happens to the program that made the lab, the kernel closes that input,
//! and with the small process go all others of the host, its interfaces and its mounts.

mod bench;
mod command;
mod host;
mod kept;
mod patience;
mod plan;
mod prerequisites;
mod process;
mod server;
pub mod story;
mod tailscaled;
mod topology;

pub use bench::{PingStream, Sum};
pub use command::Output;
pub use host::Host;
pub use kept::{FOLDER, Kept, Phase, Record, Tools, Trouble, hosts_of, look, peek, remove};
pub use patience::until;
pub use plan::{ACCEPTANCE, HOMES, Lan, Place, Plan, SERVER};
pub use prerequisites::{Clients, prerequisites, server_binary};
pub use process::{Ended, Process};
pub use server::{EPHEMERAL_GRACE, RELAY_PORT, SERVER_ADDRESS, SERVER_URL, Server};
pub use tailscaled::{Pong, Tailscaled};
pub use topology::Lab;
