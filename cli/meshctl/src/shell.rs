//! What the shell and the manual know of meshctl.

pub mod completion;
pub mod man;
