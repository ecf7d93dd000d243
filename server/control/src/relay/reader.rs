//! Bytes of one connection to frames, many at a time.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use derp::{Decoder, Frame, FrameError};
use tokio::io::{AsyncRead, ReadHalf};
use tokio_util::io::poll_read_buf;

use super::scratch;

/// What is read before its frames are looked at, when so much is there.
const GATHER_BYTES: usize = 32 << 10;
/// The beginning of a frame that waits for its rest moves out of a wide buffer when it is no longer than this.
const SMALL_BYTES: usize = 4 << 10;

/// Reads frames. Between two of them it holds no buffer.
pub(super) struct FrameReader<IO> {
    io: ReadHalf<IO>,
    decoder: Decoder,
}

impl<IO: AsyncRead> FrameReader<IO> {
    pub(super) fn new(io: ReadHalf<IO>) -> Self {
        Self { io, decoder: Decoder::new() }
    }

    /// The next frame, however long it takes. An end of the stream is an error.
    pub(super) async fn next<E: From<FrameError> + From<io::Error>>(&mut self) -> Result<Frame, E> {
        loop {
            match self.decoded()? {
                Some(frame) => return Ok(frame),
                None => self.more().await?,
            }
        }
    }

    /// The next frame that has arrived; `None` when [`FrameReader::more`] is needed.
    pub(super) fn decoded(&mut self) -> Result<Option<Frame>, FrameError> {
        self.decoder.next_frame()
    }

    /// Waits for bytes and takes all that are there, up to a bound.
    pub(super) async fn more(&mut self) -> io::Result<()> {
        self.put_away();
        poll_fn(|cx| self.poll_more(cx)).await
    }

    fn put_away(&mut self) {
        let buffer = self.decoder.buffer();
        if buffer.len() <= SMALL_BYTES {
            let rest = BytesMut::from(buffer.as_ref());
            scratch::give(std::mem::replace(buffer, rest));
        }
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let held = std::mem::take(self.decoder.buffer());
        let wide = held.len() > SMALL_BYTES;
        let mut buffer = if wide { held } else { with(scratch::take(), &held) };
        let before = buffer.len();
        let read = self.poll_gather(cx, &mut buffer);
        *self.decoder.buffer() = if buffer.len() > before || wide {
            buffer
        } else {
            let rest = BytesMut::from(buffer.as_ref());
            scratch::give(buffer);
            rest
        };
        read
    }

    fn poll_gather(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<()>> {
        let before = buffer.len();
        loop {
            buffer.reserve(SMALL_BYTES);
            match poll_read_buf(Pin::new(&mut self.io), cx, buffer) {
                Poll::Ready(Ok(1..)) if buffer.len() - before < GATHER_BYTES => {}
                Poll::Ready(Ok(0)) if buffer.len() == before => {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                // What came before an end or a fault is looked at first; either shows again.
                _ if buffer.len() > before => return Poll::Ready(Ok(())),
                other => {
                    ready!(other)?;
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

fn with(mut buffer: BytesMut, beginning: &[u8]) -> BytesMut {
    buffer.extend_from_slice(beginning);
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    fn frame(bytes: usize) -> Frame {
        Frame::Health(Bytes::from(vec![bytes as u8; bytes]))
    }

    async fn all_of(slices: Vec<Vec<u8>>) -> (Vec<Frame>, usize) {
        let (mut mine, theirs) = tokio::io::duplex(3000);
        let writer = tokio::spawn(async move {
            for slice in slices {
                mine.write_all(&slice).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let (theirs, _writer) = tokio::io::split(theirs);
        let (mut reader, mut frames) = (FrameReader::new(theirs), Vec::new());
        while let Ok(frame) = reader.next::<Box<dyn std::error::Error>>().await {
            frames.push(frame);
        }
        writer.await.unwrap();
        (frames, reader.decoder.buffer().capacity())
    }

    proptest! {
        #[test]
        fn frames_arrive_whole_in_any_slices(
            sizes in prop::collection::vec(prop_oneof![3 => 0usize..300, 1 => 0usize..60_000], 0..12),
            cuts in prop::collection::vec(1usize..9000, 1..6),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let sent: Vec<_> = sizes.into_iter().map(frame).collect();
            let bytes: Vec<u8> = sent.iter().flat_map(|f| f.to_bytes().to_vec()).collect();
            let (mut slices, mut rest) = (Vec::new(), bytes.as_slice());
            for cut in cuts.iter().cycle() {
                let (slice, tail) = rest.split_at((*cut).min(rest.len()));
                slices.push(slice.to_vec());
                rest = tail;
                if rest.is_empty() {
                    break;
                }
            }
            let (got, held) = runtime.block_on(all_of(slices));
            prop_assert_eq!(got, sent);
            prop_assert_eq!(held, 0, "an idle reader holds a buffer");
        }
    }
}
