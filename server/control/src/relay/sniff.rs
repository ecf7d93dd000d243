//! Fast start: a client that already knows the relay's key wants DERP frames at once, without an HTTP response.
//! An HTTP server cannot give it that, so the head of a fresh connection is read before one gets to see it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    time::timeout,
};

const MAX_HEAD_BYTES: usize = 8 << 10;
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
const HEAD_END: &[u8] = b"\r\n\r\n";
const DERP_REQUESTS: [&[u8]; 2] = [b"GET /derp ", b"POST /derp "];

/// Who should get a fresh connection.
#[derive(Debug)]
pub enum Sniffed<IO> {
    /// [`super::Relay::serve_connection`]: the request is taken off, DERP frames are next.
    FastStart(Rewind<IO>),
    /// The HTTP server, which reads from the first byte.
    Http(Rewind<IO>),
}

/// Reads the head of a connection (after TLS) as far as it takes to tell: one byte for most, at most 8 KiB and 10 s.
/// Fails when the peer says nothing in that time, or leaves.
pub async fn sniff<IO: AsyncRead + Unpin>(io: IO) -> io::Result<Sniffed<IO>> {
    sniff_within(HEAD_DEADLINE, io).await
}

async fn sniff_within<IO: AsyncRead + Unpin>(deadline: Duration, mut io: IO) -> io::Result<Sniffed<IO>> {
    let mut head = BytesMut::new();
    let verdict = timeout(deadline, async {
        loop {
            match judge(&head) {
                Verdict::Unsure if head.len() >= MAX_HEAD_BYTES => return Ok(Verdict::Http),
                Verdict::Unsure => {}
                sure => return Ok(sure),
            }
            let room = MAX_HEAD_BYTES - head.len();
            if (&mut io).take(room as u64).read_buf(&mut head).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
    });
    let verdict = verdict.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(match verdict {
        Verdict::FastStart { head_bytes } => {
            head.advance(head_bytes);
            Sniffed::FastStart(Rewind::new(head.freeze(), io))
        }
        Verdict::Http | Verdict::Unsure => Sniffed::Http(Rewind::new(head.freeze(), io)),
    })
}

enum Verdict {
    Unsure,
    Http,
    FastStart { head_bytes: usize },
}

fn judge(head: &[u8]) -> Verdict {
    if !DERP_REQUESTS.iter().any(|request| head.starts_with(request) || request.starts_with(head)) {
        return Verdict::Http;
    }
    let Some(end) = head.windows(HEAD_END.len()).position(|window| window == HEAD_END) else {
        return Verdict::Unsure;
    };
    let lines: Vec<&[u8]> = head[..end].split(|byte| *byte == b'\n').collect();
    let says = |name: &str, values: &[&str]| {
        lines.iter().skip(1).filter_map(|line| header(line)).any(|(key, value)| {
            key.eq_ignore_ascii_case(name) && values.iter().any(|wanted| value.eq_ignore_ascii_case(wanted))
        })
    };
    if says("derp-fast-start", &["1"]) && says("upgrade", &["derp", "websocket"]) {
        Verdict::FastStart { head_bytes: end + HEAD_END.len() }
    } else {
        Verdict::Http
    }
}

fn header(line: &[u8]) -> Option<(&str, &str)> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    Some((name, value.trim()))
}

/// A stream some bytes of which were already read: it gives them again, then goes on.
#[derive(Debug)]
pub struct Rewind<IO> {
    head: Bytes,
    io: IO,
}

impl<IO> Rewind<IO> {
    /// `head`, then the rest of `io`.
    pub fn new(head: Bytes, io: IO) -> Self {
        Self { head, io }
    }
    /// The stream itself, for its addresses or certificates.
    pub fn get_ref(&self) -> &IO {
        &self.io
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Rewind<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.head.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        }
        let again_bytes = buffer.remaining().min(self.head.len());
        let again = self.head.split_to(again_bytes);
        buffer.put_slice(&again);
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Rewind<IO> {
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
    use tokio::io::AsyncWriteExt;

    const FAST: &str = "GET /derp HTTP/1.1\r\nHost: d\r\nUpgrade: DERP\r\nDerp-Fast-Start: 1\r\n\r\n";

    /// How a stream of these slices is judged, and what can be read afterwards.
    async fn judged(slices: [&[u8]; 2]) -> (bool, Vec<u8>) {
        let [first, second] = slices;
        let stream = AsyncReadExt::chain(first, second);
        let (fast, mut rest) = match sniff(stream).await.unwrap() {
            Sniffed::FastStart(rest) => (true, rest),
            Sniffed::Http(rest) => (false, rest),
        };
        let mut bytes = Vec::new();
        rest.read_to_end(&mut bytes).await.unwrap();
        (fast, bytes)
    }

    #[tokio::test]
    async fn only_a_fast_start_request_is_taken_off() {
        assert_eq!(judged([FAST.as_bytes(), b"frames"]).await, (true, b"frames".to_vec()));
        let legacy =
            FAST.replace("DERP", "WebSocket").replace("GET", "POST").replace("Derp-Fast", "derp-FAST");
        assert_eq!(judged([legacy.as_bytes(), b""]).await, (true, Vec::new()));
        for other in [
            FAST.replace("Start: 1", "Start: 0"),
            FAST.replace("Upgrade: DERP\r\n", ""),
            FAST.replace("/derp ", "/derp/probe "),
            FAST.replace("GET", "HEAD"),
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(),
            format!("GET /derp HTTP/1.1\r\nX: {}\r\n{FAST}", "x".repeat(9000)),
            "\x16\x03\x01".into(),
        ] {
            let (first, second) = other.as_bytes().split_at(2);
            assert_eq!(judged([first, second]).await, (false, other.as_bytes().to_vec()), "{other}");
        }
    }

    #[tokio::test]
    async fn silence_has_a_deadline_and_a_leaver_none() {
        let (mut mine, theirs) = tokio::io::duplex(64);
        mine.write_all(b"GET /derp").await.unwrap();
        let silent = sniff_within(Duration::from_millis(20), theirs).await;
        assert_eq!(silent.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(sniff(&b"GET /d"[..]).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    proptest! {
        #[test]
        fn http_gets_every_byte(bytes in prop::collection::vec(any::<u8>(), 1..300)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            // No byte of these begins a DERP request.
            let bytes: Vec<u8> = [b"X".as_slice(), &bytes].concat();
            prop_assert_eq!(runtime.block_on(judged([&bytes, b""])), (false, bytes));
        }
    }
}
