//! `meshctl secret`: secrets in files, changed one value at a time, and rotated without locking anyone out.

mod get;
mod keys;
mod list;
mod place;
mod rekey;
mod rotate;
mod rotation;
mod set;
mod verify;
mod words;

use clap::Subcommand;

use crate::talk::{Answer, Context, Failure};

pub use get::peek;
pub use keys::KeyArgs;

#[derive(Subcommand)]
pub enum Verb {
    /// Show what stands in files, without any value
    List(list::Args),
    /// Tell one value
    Get(get::Args),
    /// Change one value and leave every other byte alone
    Set(set::Args),
    /// Put a file under other keys
    Rekey(rekey::Args),
    /// Open everything in files and compare their seals
    Verify(verify::Args),
    /// Replace a credential: make, store, deploy, verify, void the old one
    Rotate(rotate::Args),
    /// Go on with a rotation that was interrupted
    Resume(rotate::Resume),
    /// Undo a rotation whose old credential is not void yet
    Abort(rotate::Abort),
    /// Show rotations and how far they have come
    Status(rotate::Status),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::List(args) => list::run(context, args),
            Verb::Get(args) => get::run(context, args),
            Verb::Set(args) => set::run(context, args),
            Verb::Rekey(args) => rekey::run(context, args),
            Verb::Verify(args) => verify::run(context, args),
            Verb::Rotate(args) => rotate::run(context, args).await,
            Verb::Resume(args) => rotate::resume(context, args).await,
            Verb::Abort(args) => rotate::abort(context, args).await,
            Verb::Status(args) => rotate::status(context, args),
        }
    }
}
