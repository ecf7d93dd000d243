//! `meshctl node deny`.

use api::login::DENY;

use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl node deny k7w2m4x9c3v5b8n6q2t4y7u3
  meshctl node deny https://mesh.example.com/register/k7w2m4x9c3v5b8n6q2t4y7u3 --check

CODE is the end of the URL that the device shows, or the whole URL. The device is told that it was
refused, and with the keys that it brought it is refused for the rest of its quarter of an hour. One
that is in already is deleted instead: `meshctl node delete`.")]
pub struct Args {
    /// The code, or the URL that ends in it
    code: String,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let code = args.code.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let change = context.write(&DENY, &[code], &(), args.check).await?;
    let login = &change.outcome.login;
    let thing = format!("device {} from {}", login.hostname, login.source);
    Answer::of(context, &Done::new(change, "refuse", "refused", thing))
}
