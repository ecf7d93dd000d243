//! The house's own rules, read from its sources: which room may know which, and how big things may get.
//!
//! Enters: the tree, `cargo metadata`, the tables of `docs/ARCHITECTURE.md`. Leaves: complaints, one line each.
//! The rules themselves are in `tests/`. Must not know: what any room does.

pub mod edges;
pub mod masked;
pub mod page;
pub mod references;
pub mod shape;
pub mod tree;
