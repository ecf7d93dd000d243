//! The admin contract: what may be called, what goes in, what comes out, and what a refusal looks like.
//!
//! Enters and leaves: JSON, the same types on both ends. Must not know: how any of it is fulfilled.

pub mod agent;
pub mod apikey;
pub mod backup;
pub mod dns;
pub mod event;
pub mod key;
pub mod login;
pub mod node;
mod operation;
pub mod policy;
mod problem;
pub mod role;
pub mod route;
pub mod server;
pub mod server_key;
pub mod user;
pub mod v1;

pub use operation::{
    Changed, CheckQuery, Declared, Empty, Method, OPERATIONS, Operation, SHAPES, Shape, escape,
};
pub use problem::{Mistake, Problem, code};

/// The interface as an OpenAPI 3.1 document; a test makes it from the operations and their types.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// The tailnet that is there from the start.
pub const DEFAULT_TAILNET: &str = "default";
