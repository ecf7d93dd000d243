//! A rotation in the world: the journal on disk, the executor, kinds of secrets, the consumer.

mod api_key;
mod consumer;
mod git;
mod kind;
mod noise_key;
mod plain;
mod plan;
mod role_key;
mod run;
mod shelf;

pub use consumer::Consumer;
pub use git::refuse_dirty;
pub use kind::Kind;
pub use noise_key::rotate as noise_key;
pub use plan::{Plan, Subject, new_id};
pub use role_key::plan as role_key;
pub use run::{run, same_server};
pub use shelf::Shelf;
