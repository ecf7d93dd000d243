//! Address questions and nothing else: whoever sends anything with a transaction in it gets an answer.

use std::{
    convert::Infallible,
    io::{IoSlice, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    ops::Range,
    os::fd::AsRawFd,
};

use anyhow::Result;
use derp::stun::{MAX_MESSAGE_BYTES, TransactionId, encode_reply};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};

/// Questions taken, and answers given, in one call.
const AT_ONCE: usize = 64;
/// Where a question has its transaction (RFC 8489, 5).
const TRANSACTION: Range<usize> = 8..20;

/// Waits for a question, takes what else is there, answers all of it, and so on.
pub fn serve(socket: &UdpSocket) -> Result<Infallible> {
    let mut buffers = vec![[0; MAX_MESSAGE_BYTES]; AT_ONCE];
    let mut questions = MultiHeaders::<SockaddrIn>::preallocate(AT_ONCE, None);
    let mut answers = MultiHeaders::<SockaddrIn>::preallocate(AT_ONCE, None);
    let (mut replies, mut askers) = (Vec::with_capacity(AT_ONCE), Vec::with_capacity(AT_ONCE));
    loop {
        replies.clear();
        askers.clear();
        let mut slices: Vec<_> = buffers.iter_mut().map(|b| [IoSliceMut::new(b)]).collect();
        let flags = MsgFlags::MSG_WAITFORONE;
        for question in recvmmsg(socket.as_raw_fd(), &mut questions, &mut slices, flags, None)? {
            let transaction = question.iovs().next().and_then(transaction);
            let (Some(transaction), Some(asker)) = (transaction, question.address) else { continue };
            replies.push(encode_reply(&transaction, SocketAddr::V4(asker.into())));
            askers.push(Some(asker));
        }
        let slices: Vec<_> = replies.iter().map(|r| [IoSlice::new(r.as_ref())]).collect();
        sendmmsg(socket.as_raw_fd(), &mut answers, &slices, &askers, [], MsgFlags::empty())?;
    }
}

fn transaction(question: &[u8]) -> Option<TransactionId> {
    question.get(TRANSACTION)?.try_into().ok()
}
