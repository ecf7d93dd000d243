//! From known inputs to new ones.

mod bytes;
mod json;
mod lines;

pub use bytes::{damaged, framed};
pub use json::{altered, dressed};
pub use lines::{rearranged, respelled};
