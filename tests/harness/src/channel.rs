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

/// Seals what is written and opens what is read.
#[derive(Debug)]
pub struct Channel<S> {
    io: S,
    sealer: Sealer,
    opener: Opener,
    sealed: BytesMut,
    plain: BytesMut,
}

impl<S> Channel<S> {
    /// The channel that a handshake over this connection made.
    pub fn new(io: S, transport: Transport) -> Self {
        let (sealer, opener) = transport.split();
        Self { io, sealer, opener, sealed: BytesMut::new(), plain: BytesMut::new() }
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
        while this.plain.is_empty() {
            let mut scratch = [0; 8192];
            let mut read = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.opener.push(read.filled(), &mut this.plain).map_err(io::Error::other)?;
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
