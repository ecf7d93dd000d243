//! A server and what is around it: files, sockets, certificates, other machines' answers, being told to stop.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

use control_tests::device;

#[path = "surroundings/secure/acme.rs"]
mod acme;
#[path = "surroundings/authority.rs"]
mod authority;
#[path = "surroundings/bridge.rs"]
mod bridge;
#[path = "surroundings/derp_maps.rs"]
mod derp_maps;
#[path = "surroundings/house.rs"]
mod house;
#[path = "surroundings/journal.rs"]
mod journal;
#[path = "surroundings/local.rs"]
mod local;
#[path = "surroundings/secure/nginx.rs"]
mod nginx;
#[path = "surroundings/origin.rs"]
mod origin;
#[path = "surroundings/secure/plain_http.rs"]
mod plain_http;
#[path = "surroundings/secure/proxied.rs"]
mod proxied;
#[path = "surroundings/relayed.rs"]
mod relayed;
#[path = "surroundings/settings/reload.rs"]
mod reload;
#[path = "surroundings/secure/renewed.rs"]
mod renewed;
#[path = "surroundings/secure.rs"]
mod secure;
#[path = "surroundings/settings.rs"]
mod settings;
#[path = "surroundings/standalone.rs"]
mod standalone;
#[path = "surroundings/stopping.rs"]
mod stopping;
#[path = "surroundings/standalone/verify.rs"]
mod verify;
#[path = "surroundings/web.rs"]
mod web;
