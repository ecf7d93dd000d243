//! Pings, by the programs of this machine.

use std::{net::IpAddr, process::Stdio, time::Duration};

use readiness::check::nodes::Ping;
use tokio::{process::Command, time::timeout};

const WAIT: Duration = Duration::from_secs(6);

/// Whether an address answers an ICMP echo; nothing when that cannot be tried here.
pub async fn icmp(ip: IpAddr) -> Option<bool> {
    let mut command = Command::new("ping");
    command.args(["-n", "-c", "1", "-W", "1", &ip.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    match timeout(WAIT, command.status()).await {
        Ok(Ok(status)) if matches!(status.code(), Some(0 | 1)) => Some(status.success()),
        _ => None,
    }
}

/// Has the client of this machine ping a device. `program` is its command line.
pub async fn mesh(program: &str, socket: Option<&str>, address: &str) -> Result<Ping, String> {
    let mut command = Command::new(program);
    command.args(socket.map(|s| format!("--socket={s}")));
    command.args(["ping", "--c=1", "--timeout=4s", "--until-direct=false", address]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = match timeout(WAIT, command.output()).await {
        Err(_) => return Ok(Ping::Lost(format!("nothing within {} s", WAIT.as_secs()))),
        Ok(Err(e)) => return Err(format!("{program}: {e}")),
        Ok(Ok(output)) => output,
    };
    let said = String::from_utf8_lossy(if output.status.success() { &output.stdout } else { &output.stderr });
    let line = said.lines().last().unwrap_or_default().trim().to_owned();
    match output.status.success() {
        true => Ok(Ping::Pong(line)),
        false if line.contains("failed to connect to local") => Err(line),
        false => Ok(Ping::Lost(line)),
    }
}
