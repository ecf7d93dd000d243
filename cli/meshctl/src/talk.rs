//! Between a verb and the rest of the world: which server, the call, the answer on the screen, files.

mod answer;
mod client;
mod context;
mod failure;
mod file;
mod profile;
mod screen;
mod stream;
mod table;
mod target;
mod time;

pub use answer::{Answer, Deed, Done, Render};
pub use client::Client;
pub use context::{Check, Context, Options};
pub use failure::{Exit, Failure};
pub use file::{SecretFile, read_secret, read_text, read_text_within};
pub use screen::Screen;
pub use stream::Events;
pub use table::{Fields, Table, actor, join};
pub use target::{Surroundings, Target, Way};
pub use time::{Lifetime, ago, span};
