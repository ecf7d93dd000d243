//! `meshctl quickstart`: from nothing to a server with a policy, roles, and one key per role.

mod keys;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use api::policy::{Edit, GET, SET};
use api::role;
use control::{
    Ready, STARTER_POLICY, STARTER_ROLES, Server,
    config::{Config, File, Flags, resolve},
};
use serde::Serialize;

use super::launch::{LogFormat, StopSignals, fault, log, mistaken, serve};
use crate::{
    role::file,
    talk::{Answer, Check, Context, Failure, Render, Screen, Surroundings, Target},
};
use keys::{RoleKey, quoted};

const NO_CHECK: Check = Check { check: false };

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl quickstart
  meshctl quickstart --listen 127.0.0.1:9080 --data-dir /srv/mesh
  meshctl quickstart --json | jq -r '.roles.server.join'

Starts a server on loopback with a relay and a policy that denies whatever it does not allow, makes
the roles of that policy and writes one key per role to DIR/keys (0600). What is there already
stays: run again, it starts the same server with the same keys; only keys that no longer work are
replaced. With --json one line is printed once everything is ready. Ctrl-C stops it.")]
pub struct Args {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Folder for keys and database
    #[arg(long, value_name = "DIR", default_value = "mesh-data")]
    data_dir: PathBuf,
    /// What to log to standard error: error, warn, info, debug, trace
    #[arg(long, value_name = "FILTER", default_value = "warn")]
    log: String,
}

/// What is there once clients are served.
#[derive(Serialize)]
struct Started {
    changed: bool,
    server_url: String,
    socket: PathBuf,
    data_dir: PathBuf,
    roles: BTreeMap<String, RoleKey>,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let config = config(args.listen, args.data_dir)?;
    log(&args.log, LogFormat::Text)?;
    let signals = StopSignals::watch()?;
    let server = Server::start(config).await.map_err(|e| fault(&e))?;
    match furnish(context, server.ready()).await {
        Ok(answer) => context.screen().show(&answer),
        Err(failure) => {
            server.stop().await;
            return Err(failure);
        }
    }
    serve(server, signals, None).await?;
    Ok(Answer::silent())
}

/// Everything on loopback, paths absolute: the join lines are used from other folders.
fn config(listen: Option<String>, data_dir: PathBuf) -> Result<Config, Failure> {
    let data_dir = std::path::absolute(&data_dir)
        .map_err(|e| Failure::usage(format!("{} is no folder: {e}", data_dir.display())))?;
    let flags = Flags { listen, data_dir: Some(data_dir), ..Flags::default() };
    resolve(&File::default(), &flags).map_err(mistaken)
}

/// Puts in what is missing; says what is there.
async fn furnish(outer: &Context, ready: &Ready) -> Result<Answer, Failure> {
    let Ready { server_url, socket, data_dir } = ready.clone();
    let context = outer.with_target(Target::socket(socket.clone(), None));
    let mut changed = starter_policy(&context).await?;
    let mut roles = BTreeMap::new();
    for name in starter_roles(&context, &mut changed).await? {
        let key = keys::of(&context, &name, &data_dir.join("keys"), &server_url).await?;
        changed |= !key.kept;
        roles.insert(name, key);
    }
    Answer::of(&context, &Started { changed, server_url, socket, data_dir, roles })
}

async fn starter_policy(context: &Context) -> Result<bool, Failure> {
    if context.read(&GET, &[], &()).await?.updated.is_some() {
        return Ok(false);
    }
    let edit = Edit { message: Some("the starter policy".to_owned()), ..Edit::of(STARTER_POLICY) };
    Ok(context.write(&SET, &[], &edit, NO_CHECK).await?.changed)
}

/// The names of all roles; the starter ones are made when there is none.
async fn starter_roles(context: &Context, changed: &mut bool) -> Result<Vec<String>, Failure> {
    let known = context.read(&role::LIST, &[], &()).await?.roles;
    if !known.is_empty() {
        return Ok(known.into_iter().map(|r| r.name).collect());
    }
    let roles = file::parse(STARTER_ROLES).map_err(Failure::failed)?;
    let names = roles.iter().map(|r| r.name.clone()).collect();
    *changed |=
        context.write(&role::APPLY, &[], &role::Apply { roles, prune: false }, NO_CHECK).await?.changed;
    Ok(names)
}

impl Render for Started {
    fn render(&self, _: &Screen) -> String {
        let mut text = format!("The server runs: {}\n", self.server_url);
        text.push_str(&format!("Keys and database: {}\n\n", self.data_dir.display()));
        text.push_str("Join a device with one of these lines (as root), under a host name of your choice:\n");
        for (name, key) in &self.roles {
            let kept = if key.kept { " (the key from before)" } else { "" };
            text.push_str(&format!("\n{name}{kept}\n  {}\n", key.join));
        }
        if !self.changed {
            text.push_str("\nEverything was there already; nothing was changed.\n");
        }
        text.push_str(&format!(
            "\nOther verbs find this server {}. Ctrl-C stops it.\n",
            way_here(&self.socket)
        ));
        text
    }
}

/// How other verbs find this server: by themselves from here, or by its socket.
fn way_here(socket: &Path) -> String {
    let is_this = |found: &PathBuf| std::path::absolute(found).is_ok_and(|found| found == socket);
    match Surroundings::local_sockets().first().is_some_and(is_this) {
        true => "from this folder: `meshctl node list`".to_owned(),
        false => {
            format!("by its socket: `meshctl --socket {} node list`", quoted(&socket.display().to_string()))
        }
    }
}
