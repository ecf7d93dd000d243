//! The operator's tool: flags in, one request out, one answer back.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use talk::{Answer, Context, Failure, Options};

mod agent;
mod apikey;
mod backup;
mod check;
mod dns;
mod event;
mod inventory;
mod key;
mod lab;
mod node;
mod policy;
mod probe;
mod recover;
mod relay;
mod reset;
mod role;
mod route;
mod secret;
mod server;
mod shell;
mod talk;
mod user;

/// A private mesh of machines with unmodified Tailscale clients: server, keys, policy, checks
///
/// Every verb answers in words or, with --json, in one line of JSON on standard output; talk goes to standard
/// error. Exit codes: 0 done or nothing to do, 1 failed or refused, 2 usage, 3 could not be determined, 4 warnings that were asked to count.
#[derive(Parser)]
#[command(name = "meshctl", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Examples:
  meshctl quickstart                        a server with roles and keys in ./mesh-data
  meshctl key create --role server          a key for a new machine
  meshctl node list                         what is in the mesh")]
pub struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Subcommand)]
enum Noun {
    /// Start a server here, with a starter policy, roles and keys
    Quickstart(server::quickstart::Args),
    /// Run a server; ask how one is
    #[command(subcommand)]
    Server(server::Verb),
    /// A relay on its own, away from its control server
    #[command(subcommand)]
    Relay(relay::Verb),
    /// People who are responsible for devices
    #[command(subcommand)]
    User(user::Verb),
    /// Devices in the mesh
    #[command(subcommand)]
    Node(node::Verb),
    /// Routes that devices offer to the mesh
    #[command(subcommand)]
    Route(route::Verb),
    /// DNS: nameservers, split DNS, extra records
    #[command(subcommand)]
    Dns(dns::Verb),
    /// Pre-auth keys: what lets a device in
    #[command(subcommand)]
    Key(key::Verb),
    /// Credentials of the admin API
    #[command(subcommand)]
    Apikey(apikey::Verb),
    /// Key roles: what devices may be
    #[command(subcommand)]
    Role(role::Verb),
    /// The policy: who may reach what
    #[command(subcommand)]
    Policy(policy::Verb),
    /// Secrets in files: Ansible Vault, SOPS, age; and their rotation
    #[command(subcommand)]
    Secret(secret::Verb),
    /// The agent on a node: its checks, its reports, its way back after a reset
    #[command(subcommand)]
    Agent(agent::Verb),
    /// Checks: before a change, after a reset, at an installation
    Check(Box<check::Args>),
    /// Backups: everything that a server is, in one encrypted file
    #[command(subcommand)]
    Backup(backup::Verb),
    /// Recovery after the server lost its state, step by step
    #[command(subcommand)]
    Recover(recover::Verb),
    /// A reset of the server's state: who must know, what is lost, and the reset itself
    #[command(subcommand)]
    Reset(reset::Verb),
    /// The mesh as an inventory of Ansible
    Inventory(inventory::Args),
    /// A mesh in network namespaces of this machine, and stories that prove it
    #[command(subcommand)]
    Lab(lab::Verb),
    /// The log of everything that was changed
    #[command(subcommand)]
    Event(event::Verb),
    /// Print the completions of a shell
    Completion(shell::completion::Args),
    /// Write manual pages
    Man(shell::man::Args),
}

impl Noun {
    async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Noun::Quickstart(args) => server::quickstart::run(context, args).await,
            Noun::Server(verb) => verb.run(context).await,
            Noun::Relay(verb) => verb.run(context).await,
            Noun::User(verb) => verb.run(context).await,
            Noun::Node(verb) => verb.run(context).await,
            Noun::Route(verb) => verb.run(context).await,
            Noun::Dns(verb) => verb.run(context).await,
            Noun::Key(verb) => verb.run(context).await,
            Noun::Apikey(verb) => verb.run(context).await,
            Noun::Role(verb) => verb.run(context).await,
            Noun::Policy(verb) => verb.run(context).await,
            Noun::Secret(verb) => verb.run(context).await,
            Noun::Agent(verb) => verb.run(context).await,
            Noun::Check(args) => check::run(context, *args).await,
            Noun::Backup(verb) => verb.run(context).await,
            Noun::Recover(verb) => verb.run(context).await,
            Noun::Reset(verb) => verb.run(context).await,
            Noun::Inventory(args) => inventory::run(context, args).await,
            Noun::Lab(verb) => verb.run(context),
            Noun::Event(verb) => verb.run(context).await,
            Noun::Completion(args) => shell::completion::run(context, args),
            Noun::Man(args) => shell::man::run(context, args),
        }
    }
}

/// The agent's verb, without the others: it runs for as long as its machine does, and what says what a hundred other verbs are
/// would stay in memory with it.
#[derive(Parser)]
struct OnlyAgent {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    verb: OnlyRun,
}

#[derive(Subcommand)]
enum OnlyRun {
    #[command(subcommand)]
    Agent(agent::OnlyRun),
}

impl Cli {
    /// As `parse`; whatever else is asked than to run the agent, help and mistakes too, goes to the whole tree of verbs.
    fn of_arguments() -> Self {
        match OnlyAgent::try_parse() {
            Ok(OnlyAgent { options, verb: OnlyRun::Agent(agent::OnlyRun::Run(args)) }) => {
                Cli { options, noun: Noun::Agent(agent::Verb::Run(args)) }
            }
            Err(_) => Cli::parse(),
        }
    }
}

fn main() -> ExitCode {
    let Cli { options, noun } = Cli::of_arguments();
    let context = Context::new(options);
    // One thread is enough for the agent, which is to be small.
    let mut threads = match noun {
        Noun::Agent(_) => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let outcome = match threads.enable_all().build() {
        Ok(runtime) => runtime.block_on(attend(noun, &context)),
        Err(e) => Err(Failure::failed(format!("no threads to work with: {e}"))),
    };
    match outcome {
        Ok(answer) => {
            context.screen().show(&answer);
            ExitCode::from(answer.exit as u8)
        }
        Err(failure) => {
            context.screen().complain(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}

async fn attend(noun: Noun, context: &Context) -> Result<Answer, Failure> {
    let installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    installed.map_err(|_| Failure::failed("another provider of cryptography is installed"))?;
    noun.run(context).await
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_tree_of_commands_is_sound() {
        Cli::command().debug_assert();
    }

    /// Also of what is shown as it stands, which a terminal of that width would break in the middle of an example.
    #[test]
    fn no_line_of_help_is_over_100_columns() {
        fn look(command: &mut clap::Command, path: &str, long: &mut Vec<String>) {
            let path = format!("{path} {}", command.get_name());
            let as_it_stands = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let shown = [command.render_long_help().to_string(), command.render_help().to_string()];
            for line in shown.iter().chain([&as_it_stands]).flat_map(|text| text.lines()) {
                if line.chars().count() > 100 {
                    long.push(format!("{path}: {line}"));
                }
            }
            command.get_subcommands_mut().for_each(|c| look(c, &path, long));
        }
        let (mut cli, mut long) = (Cli::command(), Vec::new());
        cli.build();
        look(&mut cli, "", &mut long);
        assert!(long.is_empty(), "{}", long.join("\n"));
    }

    #[test]
    fn every_verb_has_examples() {
        fn look(command: &clap::Command, path: &str, without: &mut Vec<String>) {
            let path = format!("{path} {}", command.get_name());
            if command.get_subcommands().next().is_some() {
                command.get_subcommands().for_each(|c| look(c, &path, without));
                return;
            }
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            if !help.starts_with("Examples:\n") || !help.contains(path.trim()) {
                without.push(path);
            }
        }
        let mut without = Vec::new();
        look(&Cli::command(), "", &mut without);
        assert!(without.is_empty(), "{without:?}");
    }
}
