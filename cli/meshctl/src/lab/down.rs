//! `meshctl lab down`.

use serde::Serialize;

use super::place::{Place, failure};
use crate::talk::{Answer, Check, Context, Failure, Render, Screen, join};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl lab down
  meshctl lab down --name second --check

Ends the lab's hosts with all that runs on them and removes its folder: a whole lab, one whose `up`
was killed half-way, and one whose hosts are gone. What `up` did not make is never touched.")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    check: Check,
}

/// What was removed, or would be.
#[derive(Serialize)]
struct Down {
    changed: bool,
    check: bool,
    name: String,
    hosts: Vec<String>,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let Place { name, dir } = args.place;
    let hosts = lab::hosts_of(&dir, &name).map_err(|why| failure(&why))?;
    let changed = match args.check.check {
        true => dir.join(&name).exists(),
        false => lab::remove(&dir, &name).map_err(|why| failure(&why))?,
    };
    Answer::of(context, &Down { changed, check: args.check.check, name, hosts })
}

impl Render for Down {
    fn render(&self, _: &Screen) -> String {
        let Self { name, hosts, .. } = self;
        match (self.changed, self.check) {
            (true, true) => format!("would remove lab {name}: {}\n", join(hosts)),
            (true, false) => format!("removed lab {name}: {}\n", join(hosts)),
            (false, _) => format!("nothing to change: there is no lab {name}\n"),
        }
    }
}
