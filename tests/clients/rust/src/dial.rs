//! Sends to an echo, awaits what comes back and measures it.
//!
//! The client's network stack panics when a socket is closed under a read that still waits. So a datagram socket is
//! read by a task that never ends, and a stream whose read timed out is left open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::command::Transport;
use crate::sockets::{Datagrams, Sockets, Stream, within};

/// How often, and how many bytes each time.
#[derive(Clone, Copy)]
pub struct Load {
    pub count: u32,
    pub size: usize,
}

/// Sends the load message by message, each after the echo of the one before. A stream that loses a byte is an error;
/// a datagram without an echo within `limit` is counted as sent and not as received, and the next one follows.
pub async fn dial(
    sockets: &Sockets,
    transport: Transport,
    to: SocketAddr,
    load: Load,
    limit: Duration,
) -> Result<Value> {
    let round_trips = match transport {
        Transport::Tcp => {
            let mut stream = sockets.connect(to, limit).await?;
            let tried = exchange(&mut *stream, load, limit).await;
            if tried.is_err() {
                std::mem::forget(stream);
            }
            tried?
        }
        Transport::Udp => datagrams(sockets.bind_for(to, limit).await?, to, load, limit).await?,
    };
    let milliseconds: Vec<f64> = round_trips.iter().map(|took| took.as_secs_f64() * 1000.0).collect();
    Ok(json!({ "to": to, "sent": load.count, "received": round_trips.len(), "rtt_ms": milliseconds }))
}

async fn exchange(stream: &mut dyn Stream, load: Load, limit: Duration) -> Result<Vec<Duration>> {
    let mut round_trips = Vec::new();
    let mut answer = vec![0; load.size];
    for number in 0..load.count {
        let (message, start) = (message(number, load.size), Instant::now());
        within(limit, "sending on the stream", stream.write_all(&message)).await?;
        within(limit, "awaiting the echo", stream.read_exact(&mut answer)).await?;
        if answer != message {
            bail!("the echo of message {number} differs");
        }
        round_trips.push(start.elapsed());
    }
    Ok(round_trips)
}

async fn datagrams(socket: Datagrams, to: SocketAddr, load: Load, limit: Duration) -> Result<Vec<Duration>> {
    let socket = Arc::new(socket);
    let mut inbox = inbox(socket.clone(), to);
    let mut round_trips = Vec::new();
    for number in 0..load.count {
        let (message, start) = (message(number, load.size), Instant::now());
        within(limit, "sending a datagram", socket.send(&message, to)).await?;
        // late echoes of others are passed over
        let echoed = async { while inbox.recv().await.is_some_and(|answer| answer != message) {} };
        if timeout(limit, echoed).await.is_ok() {
            round_trips.push(start.elapsed());
        }
    }
    Ok(round_trips)
}

/// What `from` sends to `socket`; when nobody takes it, it is dropped.
fn inbox(socket: Arc<Datagrams>, from: SocketAddr) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((sent_by, count)) = socket.receive(&mut buffer).await {
            if sent_by == from {
                let _ = sender.try_send(buffer[..count].to_vec());
            }
        }
    });
    receiver
}

/// The number of the message, then a pattern.
fn message(number: u32, size: usize) -> Vec<u8> {
    let pattern = (0..=u8::MAX).cycle();
    number.to_be_bytes().into_iter().chain(pattern).take(size).collect()
}
