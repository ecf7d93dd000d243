//! Plaintext over records: what an HTTP/2 server reads and writes on a Noise channel.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use noise::{Opener, Sealer, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Plaintext taken at once from the writer; bounds what waits for a slow socket.
const SLICE: usize = 16 << 10;
/// Bytes read at once from the socket.
const READ: usize = 4 << 10;
/// An idle stream keeps no larger buffer than this.
const IDLE: usize = 1 << 10;

/// One side of a Noise channel.
pub struct NoiseStream<S> {
    io: S,
    sealer: Sealer,
    opener: Opener,
    plain: BytesMut,
    sealed: BytesMut,
}

impl<S> NoiseStream<S> {
    /// `preface` is sent in clear before any record.
    pub fn new(io: S, transport: Transport, preface: &[u8]) -> Self {
        let (sealer, opener) = transport.split();
        Self { io, sealer, opener, plain: BytesMut::new(), sealed: BytesMut::from(preface) }
    }
}

impl<S: AsyncWrite + Unpin> NoiseStream<S> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.sealed.is_empty() {
            let n = ready!(Pin::new(&mut self.io).poll_write(cx, &self.sealed))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sealed.advance(n);
        }
        if self.sealed.capacity() > IDLE {
            self.sealed = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for NoiseStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.plain.is_empty() {
            let mut chunk = [0u8; READ];
            let mut read = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.opener.push(read.filled(), &mut this.plain).map_err(io::Error::other)?;
        }
        let n = this.plain.len().min(buf.remaining());
        buf.put_slice(&this.plain[..n]);
        this.plain.advance(n);
        if this.plain.is_empty() {
            this.plain = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for NoiseStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.poll_drain(cx))?;
        let slice = &buf[..buf.len().min(SLICE)];
        this.sealer.seal(slice, &mut this.sealed).map_err(io::Error::other)?;
        // The slice is taken: what the socket does not take now goes out with the next call.
        if let Poll::Ready(Err(e)) = this.poll_drain(cx) {
            return Poll::Ready(Err(e));
        }
        Poll::Ready(Ok(slice.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
