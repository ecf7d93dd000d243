//! Tells clients over UDP what address they come from.

use std::{io, time::Duration};

use derp::stun::{MAX_MESSAGE_BYTES, encode_reply, parse_request};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

const BURST: usize = 64;
const PAUSE_AFTER_FAULT: Duration = Duration::from_millis(10);

/// Answers the requests of official clients, and nothing else, until `stop`. No answer is more than 1.1 times as
/// long as its request. What the socket cannot take at once is dropped: the client asks again.
pub async fn serve(socket: UdpSocket, stop: CancellationToken) {
    loop {
        let readable = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            readable = socket.readable() => readable,
        };
        if readable.and_then(|()| answer_burst(&socket)).is_err() {
            // An ICMP error of an earlier answer, or a fault of the socket that must not burn the core.
            tokio::time::sleep(PAUSE_AFTER_FAULT).await;
        }
        tokio::task::coop::consume_budget().await;
    }
}

fn answer_burst(socket: &UdpSocket) -> io::Result<()> {
    // One byte more than the longest message, so that a longer one does not arrive cut to size.
    let mut buffer = [0; MAX_MESSAGE_BYTES + 1];
    for _ in 0..BURST {
        let (bytes, source) = match socket.try_recv_from(&mut buffer) {
            Ok(received) => received,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(e) => return Err(e),
        };
        let Some(transaction) = buffer.get(..bytes).and_then(parse_request) else { continue };
        let _dropped_when_full = socket.try_send_to(&encode_reply(&transaction, source), source);
    }
    Ok(())
}
