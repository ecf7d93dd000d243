//! `meshctl policy explain`.

use policy::{Explanation, Near, Question, Said};

use super::ask::{Nodes, Source, devices};
use crate::talk::{Answer, Context, Exit, Failure, Render, Screen};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl policy explain laptop db-1 --port 5432
  meshctl policy explain tag:web 10.20.0.7 --port 443 --proto tcp
  meshctl policy explain alice@example.com web-1 --ssh-user root
  meshctl policy explain laptop internet
  meshctl policy explain tag:web tag:db --policy new.hujson --nodes nodes.json

An end is a device, a person's login, a tag, a group, an address or prefix, and as a destination
`internet`. A person, a group or a tag stands for a device of theirs. Ends with 0 when it is
allowed, with 1 when it is not.")]
pub struct Args {
    /// Who
    #[arg(value_name = "SRC")]
    from: String,
    /// To whom or where
    #[arg(value_name = "DST")]
    to: String,
    /// Which port
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Which protocol: a name such as tcp, or a number
    #[arg(long, value_name = "NAME")]
    proto: Option<String>,
    /// A login by SSH as this user
    #[arg(long, value_name = "USER", conflicts_with = "proto")]
    ssh_user: Option<String>,
    /// The policy instead of the one in force: a file, `-`, or `version:N`
    #[arg(long, value_name = "FILE", default_value = "live")]
    policy: Source,
    /// Devices: what `meshctl node list --json` printed, or `live`
    #[arg(long, value_name = "FILE|live")]
    nodes: Option<Nodes>,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let document = args.policy.document(context).await?;
    let roster = devices(context, args.nodes.as_ref(), args.policy.is_live()).await?;
    let question = Question {
        from: args.from,
        to: args.to,
        port: args.port,
        protocol: args.proto,
        ssh_user: args.ssh_user,
    };
    let found = document.explain(&roster, &question).map_err(Failure::usage)?;
    let exit = if found.allowed { Exit::Ok } else { Exit::Failed };
    Ok(Answer::of(context, &found)?.exit(exit))
}

impl Render for Explanation {
    fn render(&self, _: &Screen) -> String {
        let verdict = if self.allowed { "allowed" } else { "denied" };
        let mut out = format!("{verdict}: {} → {}\n", self.from, self.to);
        for note in &self.notes {
            out.push_str(&format!("note: {note}\n"));
        }
        let network = self.login.is_some().then_some("the network");
        section(&mut out, network, &self.because, &self.nearest);
        if let Some(login) = &self.login {
            let title = format!("the login as {}", login.user);
            section(&mut out, Some(&title), &login.because, &login.nearest);
        }
        out
    }
}

fn section(out: &mut String, title: Option<&str>, because: &[Said], nearest: &[Near]) {
    if let Some(title) = title {
        let verdict = if because.is_empty() { "denied" } else { "allowed" };
        out.push_str(&format!("\n{title}: {verdict}\n"));
    }
    for said in because {
        out.push_str(&format!("\n  {}{}\n  opens {}\n", line(said.line), said.rule, said.opens));
    }
    if because.is_empty() && nearest.is_empty() {
        out.push_str("\n  no rule comes near it\n");
    }
    for near in nearest {
        out.push_str(&format!(
            "\n  {}{}\n  would open it if {}\n",
            line(near.line),
            near.rule,
            near.lacks.join(" and ")
        ));
    }
}

fn line(line: Option<u32>) -> String {
    line.map(|line| format!("line {line}: ")).unwrap_or_default()
}
