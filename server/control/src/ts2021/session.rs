//! HTTP/2 inside a Noise channel, with bounds on what a stranger can hold open.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt;

use super::{Caller, Channel, allowance::Place, answer::Answers, stream::NoiseStream};

const PATIENCE: Patience = Patience { idle: Duration::from_secs(30), stalled: Duration::from_secs(60) };
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

/// How long a channel stays without use.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// Nothing is asked for.
    idle: Duration,
    /// Nothing of an answer is taken, whatever else the client says.
    stalled: Duration,
}

/// Serves requests until either side closes, the channel idles or the client stalls.
pub fn serve(
    stream: NoiseStream<impl Io>,
    caller: Caller,
    place: Place,
    machine: Router,
) -> impl Future<Output = ()> + Send {
    serve_within(PATIENCE, stream, caller, place, machine)
}

/// Not `async` itself: the task of each channel would have room for the arguments beside what is made of them.
fn serve_within(
    patience: Patience,
    stream: NoiseStream<impl Io>,
    caller: Caller,
    place: Place,
    machine: Router,
) -> impl Future<Output = ()> + Send {
    let answers = Arc::new(Answers::default());
    let (counted, channel) = (answers.clone(), Channel::default());
    let opened = channel.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(opened.clone());
        let open = counted.begin();
        let request = request.map(|body| Body::new(place.metered(body)));
        let machine = machine.clone();
        async move {
            let response = machine.oneshot(request).await?;
            Ok::<Response<Body>, Infallible>(response.map(|body| Body::new(open.hold(body))))
        }
    });
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WITHIN)
        .max_concurrent_streams(STREAMS)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let connection = Box::pin(connection);
    async move {
        tokio::select! {
            result = connection => if let Err(e) = result {
                tracing::debug!(error = %e, "channel ended");
            },
            () = channel.0.cancelled() => tracing::debug!("channel hung up"),
            why = dead(&answers, patience) => tracing::debug!(why, "channel closed"),
        }
    }
}

/// Returns when nothing was open for a while, or the client does not take what it asked for.
async fn dead(answers: &Answers, patience: Patience) -> &'static str {
    let mut quiet = false;
    loop {
        tokio::time::sleep(patience.idle / 2).await;
        if answers.is_stalled(patience.stalled) {
            return "stalled";
        }
        let none = answers.is_quiet();
        if none && quiet {
            return "idle";
        }
        quiet = none;
    }
}

#[cfg(test)]
mod tests;
