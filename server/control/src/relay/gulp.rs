//! Wide reads below TLS, which by itself asks the kernel for 4 KiB at a time.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use super::scratch;

/// A stream that takes what the kernel has, up to 64 KiB, and hands it on in the portions that are asked for.
#[derive(Debug)]
pub struct Gulp<IO> {
    io: IO,
    held: BytesMut,
}

impl<IO> Gulp<IO> {
    /// The same stream.
    pub fn new(io: IO) -> Self {
        Self { io, held: BytesMut::new() }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Gulp<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        wanted: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.held.is_empty() {
            let mut buffer = scratch::take();
            let read = poll_read_buf(Pin::new(&mut this.io), cx, &mut buffer);
            if !matches!(read, Poll::Ready(Ok(1..))) {
                scratch::give(buffer);
                ready!(read)?;
                return Poll::Ready(Ok(()));
            }
            this.held = buffer;
        }
        let portion = wanted.remaining().min(this.held.len());
        wanted.put_slice(this.held.get(..portion).unwrap_or_default());
        this.held.advance(portion);
        if this.held.is_empty() {
            scratch::give(std::mem::take(&mut this.held));
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Gulp<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    proptest! {
        #[test]
        fn every_byte_arrives_in_order_whatever_is_asked_for(
            writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..12),
            portions in prop::collection::vec(1usize..5000, 1..8),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let sent = writes.concat();
            let got = runtime.block_on(async {
                let (mut mine, theirs) = tokio::io::duplex(4096);
                let writer = tokio::spawn(async move {
                    for write in &writes {
                        mine.write_all(write).await.unwrap();
                    }
                });
                let (mut gulp, mut got) = (Gulp::new(theirs), Vec::new());
                for portion in portions.iter().cycle() {
                    let mut wanted = vec![0; *portion];
                    let read = gulp.read(&mut wanted).await.unwrap();
                    if read == 0 {
                        break;
                    }
                    got.extend_from_slice(&wanted[..read]);
                }
                writer.await.unwrap();
                assert_eq!(gulp.held.capacity(), 0, "nothing held at the end");
                got
            });
            prop_assert_eq!(got, sent);
        }
    }
}
