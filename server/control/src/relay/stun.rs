//! Tells clients over UDP what address they come from, many at a time.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::SocketAddr,
    os::fd::AsRawFd,
    time::Duration,
};

use derp::stun::{MAX_MESSAGE_BYTES, Reply, encode_reply, parse_request};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use tokio::{io::Interest, net::UdpSocket};
use tokio_util::sync::CancellationToken;

/// Requests that are taken from the kernel at once.
const BURST: usize = 64;
const PAUSE_AFTER_FAULT: Duration = Duration::from_millis(10);

/// Answers the requests of official clients, and nothing else, until `stop`. No answer is more than 1.1 times as
/// long as its request. What the socket cannot take at once is dropped: the client asks again.
pub async fn serve(socket: UdpSocket, stop: CancellationToken) {
    let mut burst = Burst::new();
    loop {
        let readable = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            readable = socket.readable() => readable,
        };
        let answered = readable.and_then(|()| socket.try_io(Interest::READABLE, || burst.answer(&socket)));
        if answered.is_err_and(|e| e.kind() != io::ErrorKind::WouldBlock) {
            // An ICMP error of an earlier answer, or a fault of the socket that must not burn the core.
            tokio::time::sleep(PAUSE_AFTER_FAULT).await;
        }
        tokio::task::coop::consume_budget().await;
    }
}

/// Room for what comes at once. A message takes one byte more than the longest that is allowed, so that a longer one
/// does not arrive cut to size.
struct Burst {
    buffers: Vec<[u8; MAX_MESSAGE_BYTES + 1]>,
}

impl Burst {
    fn new() -> Self {
        Self { buffers: vec![[0; MAX_MESSAGE_BYTES + 1]; BURST] }
    }

    /// Answers what waits, up to [`BURST`] messages; nothing waiting is [`io::ErrorKind::WouldBlock`].
    fn answer(&mut self, socket: &UdpSocket) -> io::Result<()> {
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BURST, None);
        let replies = self.receive(socket, &mut headers)?;
        send(socket, &mut headers, &replies);
        Ok(())
    }

    fn receive(
        &mut self,
        socket: &UdpSocket,
        headers: &mut MultiHeaders<SockaddrStorage>,
    ) -> io::Result<Vec<(Reply, SockaddrStorage)>> {
        let mut slices: Vec<_> = self.buffers.iter_mut().map(|b| [IoSliceMut::new(b)]).collect();
        let received = recvmmsg(socket.as_raw_fd(), headers, &mut slices, MsgFlags::MSG_DONTWAIT, None)?;
        Ok(received
            .filter_map(|message| {
                let source = message.address?;
                let transaction = message.iovs().next().and_then(parse_request)?;
                Some((encode_reply(&transaction, plain(&source)?), source))
            })
            .collect())
    }
}

/// What the socket cannot take is dropped; an address that cannot be sent to costs only its own answer. The headers
/// have held at least as many addresses before.
fn send(
    socket: &UdpSocket,
    headers: &mut MultiHeaders<SockaddrStorage>,
    replies: &[(Reply, SockaddrStorage)],
) {
    let slices: Vec<_> = replies.iter().map(|(reply, _)| [IoSlice::new(reply.as_ref())]).collect();
    let addresses: Vec<_> = replies.iter().map(|(_, source)| Some(*source)).collect();
    let mut done = 0;
    while let (Some(slices @ [_, ..]), Some(addresses)) = (slices.get(done..), addresses.get(done..)) {
        done += match sendmmsg(socket.as_raw_fd(), headers, slices, addresses, [], MsgFlags::MSG_DONTWAIT) {
            Ok(sent) => sent.count().max(1),
            Err(nix::errno::Errno::EAGAIN) => return,
            Err(_) => 1,
        };
    }
}

fn plain(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|a| SocketAddr::V4((*a).into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|a| SocketAddr::V6((*a).into())))
}
