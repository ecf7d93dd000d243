//! `meshctl node`: devices in the mesh.

mod approve;
mod delete;
mod deny;
mod expire;
mod list;
mod move_to;
mod pending;
mod ping;
mod rename;
mod show;
mod tag;

use clap::Subcommand;

use crate::talk::{Answer, Context, Failure};

#[derive(Subcommand)]
pub enum Verb {
    /// Show all devices
    List(list::Args),
    /// Show one device
    Show(show::Args),
    /// Ask a device's client whether it is there
    Ping(ping::Args),
    /// Show the devices that wait to be let in
    Pending(pending::Args),
    /// Let a device in that waits
    Approve(approve::Args),
    /// Refuse a device that waits
    Deny(deny::Args),
    /// Say until when a device's key is accepted: now, some time, or for ever
    Expire(expire::Args),
    /// Forget a device: its id and addresses are gone
    Delete(delete::Args),
    /// Give a device another name
    Rename(rename::Args),
    /// Make a device a person's
    Move(move_to::Args),
    /// Say what a device is
    Tag(tag::Args),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::List(args) => list::run(context, args).await,
            Verb::Show(args) => show::run(context, args).await,
            Verb::Ping(args) => ping::run(context, args).await,
            Verb::Pending(args) => pending::run(context, args).await,
            Verb::Approve(args) => approve::run(context, args).await,
            Verb::Deny(args) => deny::run(context, args).await,
            Verb::Expire(args) => expire::run(context, args).await,
            Verb::Delete(args) => delete::run(context, args).await,
            Verb::Rename(args) => rename::run(context, args).await,
            Verb::Move(args) => move_to::run(context, args).await,
            Verb::Tag(args) => tag::run(context, args).await,
        }
    }
}
