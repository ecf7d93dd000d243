//! `meshctl check` against real servers: the failures of a roll-out re-enacted, resolvers of every kind, proxies, and
//! the forms of its answer.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "all of this is test code")]

#[path = "checks/bench.rs"]
mod bench;
#[path = "checks/encrypted.rs"]
mod encrypted;
#[path = "checks/forms.rs"]
mod forms;
#[path = "checks/names.rs"]
mod names;
#[path = "checks/post_mortem.rs"]
mod post_mortem;
#[path = "checks/proxies.rs"]
mod proxies;
#[path = "checks/resolver.rs"]
mod resolver;
#[path = "checks/texts.rs"]
mod texts;
#[path = "checks/ways.rs"]
mod ways;
