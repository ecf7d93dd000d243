//! `meshctl node approve`.

use api::login::{APPROVE, Approve};

use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl node approve k7w2m4x9c3v5b8n6q2t4y7u3 --user alice
  meshctl node approve https://mesh.example.com/register/k7w2m4x9c3v5b8n6q2t4y7u3 --role server
  meshctl node approve k7w2m4x9c3v5b8n6q2t4y7u3 --check

CODE is the end of the URL that the device shows, or the whole URL. With neither --user nor --role
the device is again what it was under its key before. Look at `meshctl node pending` first: is it
the device that you expect?")]
pub struct Args {
    /// The code, or the URL that ends in it
    code: String,
    /// It is this person's device
    #[arg(long, value_name = "LOGIN", conflicts_with = "role")]
    user: Option<String>,
    /// It has the tags of this role
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let code = args.code.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let input = Approve { user: args.user, role: args.role };
    let change = context.write(&APPROVE, &[code], &input, args.check).await?;
    let node = &change.outcome.node;
    let whose = match (&node.user, node.tags.as_slice()) {
        (Some(user), []) => format!("of {user}"),
        (_, tags) => format!("as {}", crate::talk::join(tags)),
    };
    let thing = format!("node {} ({}) {whose}", node.name, node.id);
    Answer::of(context, &Done::new(change, "let in", "let in", thing))
}
