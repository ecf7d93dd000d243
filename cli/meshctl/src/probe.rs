//! What the network answers: a client's way to the server, certificates, STUN, relays, resolvers. No verdicts.

pub mod control;
pub mod derp;
pub mod dns;
pub mod exchange;
pub mod http;
pub mod ping;
pub mod plain;
pub mod stun;
pub mod tls;

use std::time::Duration;

/// What takes longer is taken for no answer.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// Random bytes of the operating system, for keys that are thrown away.
fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| format!("no random bytes: {e}"))?;
    Ok(bytes)
}
