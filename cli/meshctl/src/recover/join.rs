//! Having devices join again: over SSH where a way is known, otherwise as lines for whoever holds them.

use std::time::Duration;

use api::node::Node;
use readiness::runbook::{Outcome, Step};

use super::{
    hosts::{Host, Hosts},
    rebuild::key_file,
    run::Wishes,
    ssh,
    state::missing,
};
use crate::{
    reset::Mesh,
    talk::{Context, Failure, read_secret},
};

/// How long a machine may take from its new login until the server lists it.
const LOOKS: u32 = 40;
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Which step is about this device.
pub fn step_of(node: &Node) -> Step {
    let in_hands = ["windows", "macos", "ios", "android"].contains(&node.os.to_lowercase().as_str());
    if !node.approved_routes.is_empty() {
        Step::Routers
    } else if node.tags.is_empty() || in_hands {
        Step::Laptops
    } else {
        Step::Servers
    }
}

/// Tries every machine of this step that is not back; what cannot be done from here is said as lines.
pub async fn again(context: &Context, wishes: &Wishes, mesh: &Mesh, step: Step) -> Result<Outcome, Failure> {
    let hosts = wishes.hosts.as_deref().map(Hosts::load).transpose()?.unwrap_or_default();
    let lost = missing(context, mesh).await?;
    let lost: Vec<_> = lost.into_iter().filter(|node| step_of(node) == step).collect();
    if lost.is_empty() {
        return Ok(Outcome::Done("all are back".to_owned()));
    }
    let (mut back, mut lines) = (0, Vec::new());
    for node in lost {
        let key = key_file(&wishes.keys, node);
        let host = hosts.of(&node.name).filter(|_| key.is_file());
        let Some(host) = host else {
            lines.push(format!("{}: {}", node.name, line(mesh, wishes, node)));
            continue;
        };
        match one(context, wishes, mesh, node, host).await {
            Ok(()) => back += 1,
            Err(e) => lines.push(format!("{}: {}", node.name, e.detail)),
        }
    }
    Ok(match lines.as_slice() {
        [] => Outcome::Done(format!("{back} joined again")),
        lines => Outcome::Waiting(format!("{back} joined again; still to do:\n{}", lines.join("\n"))),
    })
}

async fn one(
    context: &Context,
    wishes: &Wishes,
    mesh: &Mesh,
    node: &Node,
    host: &Host,
) -> Result<(), Failure> {
    let key = read_secret(&key_file(&wishes.keys, node))?;
    let script = script(mesh, node, host);
    let (host, config) = (host.clone(), wishes.ssh_config.clone());
    let ran = tokio::task::spawn_blocking(move || {
        ssh::run(&host, config.as_deref(), &script, key.expose().as_bytes())
    });
    ran.await.map_err(|e| Failure::failed(e.to_string()))?.map_err(Failure::failed)?;
    for _ in 0..LOOKS {
        if !missing(context, mesh).await?.iter().any(|lost| lost.id == node.id) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(Failure::failed("it said that it joined, and the server does not list it"))
}

/// The key comes by standard input, rests in a file that only its owner reads, and is gone afterwards.
fn script(mesh: &Mesh, node: &Node, host: &Host) -> String {
    let mut up = vec![format!("--login-server={}", mesh.server_url), format!("--hostname={}", node.name)];
    let routes: Vec<_> = node.advertised_routes.iter().map(ToString::to_string).collect();
    if !routes.is_empty() {
        up.push(format!("--advertise-routes={}", routes.join(",")));
    }
    up.extend(host.up.iter().cloned());
    let flags: Vec<_> = up.iter().map(|flag| quoted(flag)).collect();
    format!(
        "set -eu; umask 077; f=$(mktemp); trap 'rm -f \"$f\"' EXIT; cat >\"$f\"; tailscale up --reset --force-reauth --timeout=60s --auth-key=\"file:$f\" {}",
        flags.join(" ")
    )
}

/// What whoever holds the device does.
fn line(mesh: &Mesh, wishes: &Wishes, node: &Node) -> String {
    let url = &mesh.server_url;
    let key = match node.tags.is_empty() {
        true => String::new(),
        false => format!(" --auth-key=file:{}", quoted(&key_file(&wishes.keys, node).display().to_string())),
    };
    let up = format!("tailscale up --reset --force-reauth --login-server={url}{key}");
    match node.os.to_lowercase().as_str() {
        "windows" => format!("{up} --unattended   (in a terminal of an administrator)"),
        "macos" => format!("{up}   (or in the app: hold Option, Debug, Custom Login Server, {url})"),
        "ios" | "android" => {
            format!("in the app: log out, then the account menu, alternate server {url}, log in")
        }
        _ => format!("sudo {up}"),
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:._-+,@%=".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
