//! `meshctl secret rotate`, `resume`, `abort`, `status`.

use std::{
    env,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use jiff::Timestamp;
use secrets::journal::{Journal, State};
use serde::Serialize;

use super::{
    keys::{KeyArgs, RecipientArgs},
    place,
    rotation::{self, Consumer, Kind, Plan, Shelf, Subject},
};
use crate::talk::{Answer, Check, Context, Failure, Lifetime, Render, Screen, Table};

/// What is rotated.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum KindName {
    /// An API key of the server, which Headplane or another consumer holds
    HeadplaneApiKey,
    /// A pre-auth key of a key role
    RoleKey,
    /// Any other secret, its new value from a file
    Plain,
    /// The server's Noise key, which no file here holds
    NoiseKey,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl secret rotate headplane-api-key --file group_vars/all/vault.yml \\
    --var vault_headplane_api_key --deploy 'ansible-playbook site.yml -t config' \\
    --verify-url https://headplane.example.com/healthz
  meshctl secret rotate role-key --role server --file vault.yml --var vault_server_key
  meshctl secret rotate plain --file secrets.sops.yaml --var db.password --value-file new \\
    --deploy ./deploy.sh --verify-command ./check-db.sh
  meshctl secret rotate noise-key --verify-within 10m

The old credential is voided only after the consumer was seen working with the new one. Each
step is journalled before the next begins: after a crash, `meshctl secret resume` goes on and
`meshctl secret abort` goes back. Without --deploy it stops when the file holds the new secret;
deploy it, then resume.

noise-key has the server accept another key beside the one it has, waits until no device uses
the old one, and retires that. While devices use it, it ends with 3 and names them; the same
command goes on.")]
pub struct Args {
    /// What is rotated
    #[arg(value_enum)]
    kind: KindName,
    /// File that holds the secret; for all but noise-key
    #[arg(long, value_name = "FILE", required_if_eq_any([("kind", "headplane-api-key"), ("kind", "role-key"), ("kind", "plain")]))]
    file: Option<PathBuf>,
    /// Which value: a top-level key, or a path like a.b[0]; left out for a file that is one secret
    #[arg(long, value_name = "NAME")]
    var: Option<String>,
    /// role-key: the key role
    #[arg(long, required_if_eq("kind", "role-key"))]
    role: Option<String>,
    /// plain: file with the new value, `-` for standard input
    #[arg(long, value_name = "FILE", required_if_eq("kind", "plain"))]
    value_file: Option<PathBuf>,
    /// plain: command that voids the old value after the new one is at work
    #[arg(long, value_name = "COMMAND")]
    retire: Option<String>,
    /// Lifetime of the new credential, for example 30d, 90d
    #[arg(long, value_name = "TIME")]
    expires: Option<Lifetime>,
    /// Command that gives the consumer what stands in the file
    #[arg(long, value_name = "COMMAND")]
    deploy: Option<String>,
    /// URL of the consumer that answers 2xx when it works
    #[arg(long, value_name = "URL")]
    verify_url: Option<String>,
    /// Command that ends with 0 when the consumer works with the new secret
    #[arg(long, value_name = "COMMAND")]
    verify_command: Option<String>,
    /// A call from here with the new key is proof enough; needs --server
    #[arg(long)]
    verify_here: bool,
    /// How long the consumer may take to work
    #[arg(long, value_name = "TIME", default_value = "60s")]
    verify_within: Lifetime,
    /// Go on although the file has changes that are not committed
    #[arg(long)]
    allow_dirty: bool,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    recipients: RecipientArgs,
    #[command(flatten)]
    check: Check,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl secret resume
  meshctl secret resume r-0f3a…
  meshctl secret resume --check")]
pub struct Resume {
    /// Which rotation [default: the only one that is not over]
    id: Option<String>,
    /// plain: file with the new value, when it came from standard input
    #[arg(long, value_name = "FILE")]
    value_file: Option<PathBuf>,
    #[command(flatten)]
    check: Check,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl secret abort
  meshctl secret abort r-0f3a… --check

The old secret comes back into the file, the consumer gets it again, and only then the new
credential is voided.")]
pub struct Abort {
    /// Which rotation [default: the only one that is not over]
    id: Option<String>,
    #[command(flatten)]
    check: Check,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl secret status
  meshctl secret status --json")]
pub struct Status {}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    if matches!(args.kind, KindName::NoiseKey) {
        if args.file.is_some() || args.var.is_some() || args.deploy.is_some() {
            return Err(Failure::usage(
                "the server's Noise key stands in no file here, and nobody deploys it",
            )
            .hint("meshctl secret rotate noise-key --verify-within 10m"));
        }
        let rotated = rotation::noise_key(context, args.verify_within.seconds, args.check).await?;
        return Answer::of(context, &rotated);
    }
    let (check, allow_dirty) = (args.check, args.allow_dirty);
    let plan = planned(context, args).await?;
    if !allow_dirty {
        rotation::refuse_dirty(&plan.subject.file)?;
    }
    let bytes = place::read(&plan.subject.file)?;
    let old = plan.subject.value_if_any(context, &bytes)?;
    let old = match &old {
        Some(value) => plan.kind.identify(context, value).await?,
        None => None,
    };
    if check.check {
        let journal = Journal::plan("r-check".into(), old, secrets::journal::fingerprint(&bytes), plan);
        return Answer::of(context, &Report::of(&journal, true, true, false));
    }
    let id = rotation::new_id()?;
    let journal = Journal::plan(id, old, secrets::journal::fingerprint(&bytes), plan);
    let mut shelf = Shelf::begin(journal, &bytes)?;
    finish(context, &mut shelf, State::Planned).await
}

pub async fn resume(context: &Context, args: Resume) -> Result<Answer, Failure> {
    let Some(mut shelf) = Shelf::open(args.id.as_deref())? else {
        return Answer::of(context, &Nothing::new());
    };
    if args.check.check {
        return Answer::of(context, &Report::of(&shelf.journal, true, true, false));
    }
    if let (Some(file), Kind::Plain { value_file, .. }) = (args.value_file, &mut shelf.journal.plan.kind) {
        let base = env::current_dir().map_err(|e| Failure::failed(e.to_string()))?;
        *value_file = absolute(&base, file);
    }
    let began = shelf.journal.state;
    finish(context, &mut shelf, began).await
}

pub async fn abort(context: &Context, args: Abort) -> Result<Answer, Failure> {
    let Some(mut shelf) = Shelf::open(args.id.as_deref())? else {
        return Answer::of(context, &Nothing::new());
    };
    rotation::same_server(context, &shelf.journal).await?;
    shelf.turn_back(args.check.check)?;
    if args.check.check {
        return Answer::of(context, &Report::of(&shelf.journal, true, true, false));
    }
    let began = shelf.journal.state;
    finish(context, &mut shelf, began).await
}

pub fn status(context: &Context, _: Status) -> Result<Answer, Failure> {
    let rotations = Shelf::all()?;
    let rotations = rotations.iter().map(|j| Report::of(j, false, false, false)).collect();
    Answer::of(context, &Statuses { rotations, at: Timestamp::now() })
}

async fn planned(context: &Context, args: Args) -> Result<Plan, Failure> {
    let base = env::current_dir().map_err(|e| Failure::failed(e.to_string()))?;
    let kind = match args.kind {
        KindName::HeadplaneApiKey => Kind::ApiKey { lifetime: args.expires.map(|l| l.seconds) },
        KindName::RoleKey => {
            let role = args.role.unwrap_or_default();
            rotation::role_key(context, role, args.expires.map(|l| l.seconds)).await?
        }
        KindName::Plain => {
            let value_file = args.value_file.map(|f| absolute(&base, f)).unwrap_or_default();
            Kind::Plain { value_file, retire: args.retire }
        }
        KindName::NoiseKey => return Err(Failure::usage("the server's Noise key stands in no file here")),
    };
    let consumer = Consumer {
        deploy: args.deploy,
        verify_url: args.verify_url,
        verify_command: args.verify_command,
        verify_here: args.verify_here,
        within_seconds: args.verify_within.seconds,
    };
    if matches!(kind, Kind::Plain { .. }) && !consumer.can_tell() {
        return Err(Failure::usage("nobody would see whether the new value works")
            .hint("--verify-url URL or --verify-command COMMAND says so"));
    }
    let file = base.join(args.file.unwrap_or_default());
    let subject = Subject { file, var: args.var, keys: args.keys, recipients: args.recipients };
    let server = kind.server(context).await?;
    Ok(Plan { kind, subject, consumer, server, base })
}

/// Standard input stays what it is.
fn absolute(base: &Path, file: PathBuf) -> PathBuf {
    if file == Path::new("-") { file } else { base.join(file) }
}

async fn finish(context: &Context, shelf: &mut Shelf, began: State) -> Result<Answer, Failure> {
    let waits = rotation::run(context, shelf, began).await.map_err(|failure| {
        let go_on = "`meshctl secret resume` goes on, `meshctl secret abort` goes back";
        if failure.hint.is_some() { failure } else { failure.hint(go_on) }
    })?;
    Answer::of(context, &Report::of(&shelf.journal, true, false, waits))
}

/// A rotation for people and programs.
#[derive(Serialize)]
struct Report {
    changed: bool,
    check: bool,
    id: String,
    kind: &'static str,
    file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    var: Option<String>,
    state: State,
    backwards: bool,
    old: Option<String>,
    new: Option<String>,
    /// Somebody has to deploy before it can go on.
    waits_for_deploy: bool,
}

impl Report {
    fn of(journal: &Journal<Plan>, changed: bool, check: bool, waits: bool) -> Self {
        let subject = &journal.plan.subject;
        Self {
            changed,
            check,
            id: journal.id.clone(),
            kind: journal.plan.kind.name(),
            file: subject.file.clone(),
            var: subject.var.clone(),
            state: journal.state,
            backwards: journal.backwards,
            old: journal.old.clone(),
            new: journal.new.clone(),
            waits_for_deploy: waits,
        }
    }
    fn state(&self) -> String {
        serde_json::to_value(self.state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

impl Render for Report {
    fn render(&self, _: &Screen) -> String {
        let name = self.var.as_deref().unwrap_or("the secret");
        let thing = format!("{name} in {}", self.file.display());
        if self.check {
            let goal = if self.backwards { "undo the rotation of" } else { "rotate" };
            let old = self.old.as_ref().map(|o| format!("; credential {o} would be voided at the end"));
            return format!("would {goal} {thing}{}\n", old.filter(|_| !self.backwards).unwrap_or_default());
        }
        if self.waits_for_deploy {
            return format!("{thing} is ready: deploy it, then `meshctl secret resume`\n");
        }
        match self.state {
            State::Done => format!("rotated {thing}\n"),
            State::Aborted => format!("{thing} is what it was, and the new credential is void\n"),
            _ => format!("{thing}: {}\n", self.state()),
        }
    }
}

#[derive(Serialize)]
struct Statuses {
    rotations: Vec<Report>,
    at: Timestamp,
}

impl Render for Statuses {
    fn render(&self, screen: &Screen) -> String {
        let mut table = Table::new(["ROTATION", "KIND", "FILE", "VALUE", "STATE"], "no rotations");
        for r in &self.rotations {
            let back = if r.backwards && r.state != State::Aborted { " (going back)" } else { "" };
            table.row([
                r.id.clone(),
                r.kind.to_owned(),
                r.file.display().to_string(),
                r.var.clone().unwrap_or_default(),
                format!("{}{back}", r.state()),
            ]);
        }
        table.render(screen)
    }
}

/// There was nothing to go on with.
#[derive(Serialize)]
struct Nothing {
    changed: bool,
    check: bool,
}

impl Nothing {
    fn new() -> Self {
        Self { changed: false, check: false }
    }
}

impl Render for Nothing {
    fn render(&self, _: &Screen) -> String {
        "nothing to change: no rotation is under way\n".to_owned()
    }
}
