//! HTTP/2 inside a Noise channel, with bounds on what a stranger can hold open.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt;

use super::{Caller, stream::NoiseStream};

/// A channel on which nothing is asked for that long is closed.
const IDLE: Duration = Duration::from_secs(30);
/// A peer that does not answer an HTTP/2 ping in time is gone.
const PING_EVERY: Duration = Duration::from_secs(40);
const PING_WITHIN: Duration = Duration::from_secs(20);
/// Requests at once on one channel: a long poll, updates beside it, some calls.
const STREAMS: u32 = 100;
/// Bytes that one answer may have waiting for the client.
const SEND_BUFFER: usize = 64 << 10;
const HEADERS: u32 = 16 << 10;

/// A byte stream that a channel can run on.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for T {}

/// Serves requests until either side closes or the channel idles. The state of a connection is kilobytes, and a future
/// that hands it on holds it twice: it is put in a box first.
pub fn serve(stream: NoiseStream<impl Io>, caller: Caller, machine: Router) -> impl Future<Output = ()> {
    let open = Arc::new(AtomicU32::new(0));
    let counted = open.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(caller);
        let guard = Open::new(&counted);
        let response = machine.clone().oneshot(request.map(Body::new));
        async move { Ok::<_, Infallible>(response.await?.map(|body| Body::new(guard.hold(body)))) }
    });
    let connection = Box::pin(
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_WITHIN)
            .max_concurrent_streams(STREAMS)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(HEADERS)
            .serve_connection(TokioIo::new(stream), service),
    );
    async move {
        tokio::select! {
            result = connection => if let Err(e) = result {
                tracing::debug!(error = %e, "channel ended");
            },
            () = idle(&open) => tracing::debug!("idle channel closed"),
        }
    }
}

async fn idle(open: &AtomicU32) {
    let mut quiet = false;
    loop {
        tokio::time::sleep(IDLE / 2).await;
        let none = open.load(Ordering::Relaxed) == 0;
        if none && quiet {
            return;
        }
        quiet = none;
    }
}

/// Counts a request until its answer's body is gone.
struct Open(Arc<AtomicU32>);

impl Open {
    fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
    fn hold(self, body: Body) -> Held {
        Held { body, _open: self }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Held {
    body: Body,
    _open: Open,
}

impl hyper::body::Body for Held {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(cx)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}
