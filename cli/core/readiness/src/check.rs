//! One judgement per check: what was seen in, a verdict out.

pub mod agent;
pub mod control;
pub mod dns;
pub mod files;
pub mod keys;
pub mod nodes;
pub mod policy;
pub mod proxy;
pub mod relay;
pub mod routes;
pub mod server;
pub mod text;
pub mod vault;
