//! HTTP/2 for those who ask for nothing else: gRPC clients.

use std::time::Duration;

use hyper::server::conn::http2::Builder;
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// Requests that one connection has open at once.
const STREAMS: u32 = 16;
/// A peer that vanished is noticed so soon.
const PING_EVERY: Duration = Duration::from_secs(45);
const PING_WITHIN: Duration = Duration::from_secs(10);
/// What one connection may have sent without being asked for, and what one request may.
const WINDOW: u32 = 256 << 10;
const STREAM_WINDOW: u32 = 64 << 10;
const LONGEST_HEADERS: u32 = 16 << 10;

/// With bounds on what a stranger may hold open.
pub(super) fn bounded() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(LONGEST_HEADERS)
        .initial_connection_window_size(WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WITHIN);
    builder
}
