//! Plaintext over records: what an HTTP/2 server reads and writes on a Noise channel.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use noise::{Opener, Sealer, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Plaintext taken at once from the writer; bounds what waits for a slow socket. A frame of HTTP/2 with its head has room.
const SLICE: usize = 17 << 10;
/// Bytes read at once from the socket.
const READ: usize = 4 << 10;

thread_local! {
    /// Records on their way to a socket, which takes them at once nearly always.
    static SEALED: Cell<BytesMut> = Cell::default();
}

/// One side of a Noise channel.
pub struct NoiseStream<S> {
    io: S,
    sealer: Sealer,
    opener: Opener,
    plain: BytesMut,
    /// What the socket did not take yet.
    left: BytesMut,
}

impl<S> NoiseStream<S> {
    /// `preface` is sent in clear before any record.
    pub fn new(io: S, transport: Transport, preface: &[u8]) -> Self {
        let (sealer, opener) = transport.split();
        Self { io, sealer, opener, plain: BytesMut::new(), left: BytesMut::from(preface) }
    }
}

impl<S: AsyncWrite + Unpin> NoiseStream<S> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.left.is_empty() {
            let n = ready!(Pin::new(&mut self.io).poll_write(cx, &self.left))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.left.advance(n);
        }
        // Most streams are idle nearly always, and keep no buffer then.
        self.left = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// The first bytes of these, as records. What the socket does not take at once is left for the next call.
    fn seal(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>], most: usize) -> io::Result<()> {
        let mut sealed = SEALED.take();
        sealed.clear();
        let parts = bufs.iter().map(|buf| &**buf);
        self.sealer.seal_parts(parts, most, &mut sealed).map_err(io::Error::other)?;
        let written = match Pin::new(&mut self.io).poll_write(cx, &sealed) {
            Poll::Ready(written) => written?,
            Poll::Pending => 0,
        };
        self.left.extend_from_slice(&sealed[written..]);
        SEALED.set(sealed);
        Ok(())
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
            let mut chunk = [MaybeUninit::uninit(); READ];
            let mut read = ReadBuf::uninit(&mut chunk);
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
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    /// A frame's head and its payload go out as one: a write of their own for nine bytes costs as much as that of the rest.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.poll_drain(cx))?;
        let taken = bufs.iter().map(|buf| buf.len()).sum::<usize>().min(SLICE);
        this.seal(cx, bufs, taken)?;
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
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
