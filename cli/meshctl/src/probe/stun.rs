//! A STUN binding request.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use derp::stun::{MAX_MESSAGE_BYTES, encode_request, parse_reply};
use readiness::check::relay::Stun;
use tokio::{
    net::{UdpSocket, lookup_host},
    time::timeout,
};

use super::random;

const TRIES: u32 = 3;
const WAIT: Duration = Duration::from_millis(700);

/// Asks every address of the host once or more; the answer of each.
pub async fn ask(host: &str, port: u16) -> Vec<(String, Stun)> {
    let addresses: Vec<_> = match lookup_host((host, port)).await {
        Ok(addresses) => addresses.take(4).collect(),
        Err(e) => return vec![(format!("{host}:{port}"), Stun::NoWay(e.to_string()))],
    };
    let mut answers = Vec::new();
    for at in addresses {
        let answer = one(at).await.unwrap_or_else(|e| Stun::NoWay(e.to_string()));
        answers.push((at.to_string(), answer));
    }
    answers
}

async fn one(at: SocketAddr) -> io::Result<Stun> {
    let any: SocketAddr = if at.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(at).await?;
    let mut nonsense = false;
    for _ in 0..TRIES {
        let transaction = random().map_err(io::Error::other)?;
        let asked = Instant::now();
        match socket.send(&encode_request(&transaction)).await {
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {}
            sent => _ = sent?,
        }
        let mut answer = [0; MAX_MESSAGE_BYTES];
        let Ok(Ok(length)) = timeout(WAIT, socket.recv(&mut answer)).await else { continue };
        match parse_reply(&answer[..length]) {
            Some((id, mapped)) if id == transaction => {
                let milliseconds = asked.elapsed().as_millis() as u64;
                return Ok(Stun::Mapped { address: mapped.to_string(), milliseconds });
            }
            _ => nonsense = true,
        }
    }
    Ok(if nonsense { Stun::Nonsense } else { Stun::Silent { tries: TRIES } })
}
