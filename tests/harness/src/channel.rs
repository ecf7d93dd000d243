//! A Noise channel as a byte stream, from either end.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use noise::{Opener, RECORD_MAX_PLAINTEXT, Sealer, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Plaintext taken at once.
const BATCH: usize = 4 * RECORD_MAX_PLAINTEXT;

/// What some servers say before HTTP/2 begins: this, the length as a big-endian u32, and so many bytes of JSON.
const EARLY: &[u8; 5] = b"\xff\xff\xffTS";
const EARLY_HEAD_BYTES: usize = EARLY.len() + 4;

/// Seals what is written and opens what is read; what a server says before HTTP/2 is skipped.
#[derive(Debug)]
pub struct Channel<S> {
    io: S,
    sealer: Sealer,
    opener: Opener,
    sealed: BytesMut,
    plain: BytesMut,
    front: Front,
}

/// How far the beginning of what is read has been looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Front {
    Unseen,
    /// So many bytes of it are still to be skipped.
    Early(usize),
    Passed,
}

impl<S> Channel<S> {
    /// The channel that a handshake over this connection made.
    pub fn new(io: S, transport: Transport) -> Self {
        let (sealer, opener) = transport.split();
        Self { io, sealer, opener, sealed: BytesMut::new(), plain: BytesMut::new(), front: Front::Unseen }
    }
}

impl<S> Channel<S> {
    /// Skips what comes before HTTP/2; what is left is the stream.
    fn pass_front(&mut self) {
        if self.front == Front::Unseen {
            let head = &self.plain[..self.plain.len().min(EARLY.len())];
            if !EARLY.starts_with(head) {
                self.front = Front::Passed;
            } else if let Some(head) = self.plain.first_chunk::<EARLY_HEAD_BYTES>() {
                let [.., a, b, c, d] = *head;
                self.front = Front::Early(EARLY_HEAD_BYTES + u32::from_be_bytes([a, b, c, d]) as usize);
            }
        }
        if let Front::Early(left) = self.front {
            let skipped = left.min(self.plain.len());
            self.plain.advance(skipped);
            self.front = if skipped == left { Front::Passed } else { Front::Early(left - skipped) };
        }
    }
}

impl<S: AsyncWrite + Unpin> Channel<S> {
    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.sealed.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.sealed))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sealed.advance(written);
        }
        self.sealed = BytesMut::new();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Channel<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.plain.is_empty() || this.front != Front::Passed {
            let mut scratch = [0; 8192];
            let mut read = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.opener.push(read.filled(), &mut this.plain).map_err(io::Error::other)?;
            this.pass_front();
        }
        let taken = this.plain.len().min(out.remaining());
        out.put_slice(&this.plain[..taken]);
        this.plain.advance(taken);
        if this.plain.is_empty() {
            this.plain = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Channel<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.drain(cx))?;
        let taken = &bytes[..bytes.len().min(BATCH)];
        this.sealer.seal(taken, &mut this.sealed).map_err(io::Error::other)?;
        if let Poll::Ready(Err(error)) = this.drain(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(taken.len()))
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drain(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drain(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use noise::{Initiator, PrivateKey, Responder};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn ends() -> (Transport, Transport) {
        let [server, client] = [7, 9].map(|n| PrivateKey::new([n; 32]).unwrap());
        let (initiation, initiator) = Initiator::new(&client, server.public_key(), [11; 32], 130).unwrap();
        let accepted = Responder::accept(&server, [13; 32], &initiation).unwrap();
        (accepted.transport, initiator.finish(&accepted.response).unwrap())
    }

    /// What a client reads when the server writes these.
    async fn read_after(writes: &[&[u8]]) -> Vec<u8> {
        let (theirs, ours) = ends();
        let (server, client) = tokio::io::duplex(1 << 16);
        let (mut server, mut client) = (Channel::new(server, theirs), Channel::new(client, ours));
        for write in writes {
            server.write_all(write).await.unwrap();
            server.flush().await.unwrap();
        }
        drop(server);
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.unwrap();
        read
    }

    #[tokio::test]
    async fn what_comes_before_the_stream_is_skipped() {
        let early = [EARLY.as_slice(), &[0, 0, 0, 4], b"{\"a\""].concat();
        assert_eq!(read_after(&[b"\0\0\x12 settings"]).await, b"\0\0\x12 settings");
        assert_eq!(read_after(&[&[&early, b"frames".as_slice()].concat()]).await, b"frames");
        let (head, tail) = early.split_at(3);
        assert_eq!(read_after(&[head, &tail[..5], &tail[5..], b"frames"]).await, b"frames");
        assert_eq!(read_after(&[b"\xff\xff\xfeTS"]).await, b"\xff\xff\xfeTS");
    }
}
