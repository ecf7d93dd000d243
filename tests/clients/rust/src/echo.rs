//! Answers every byte and every datagram with itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use crate::command::Transport;
use crate::sockets::{Datagrams, Listener, Sockets, Stream};

/// Streams served at one time; others wait to be accepted.
const STREAMS: usize = 64;

/// Echoes on `port` of every own address until the process ends. The result lists where.
pub async fn start(sockets: &Sockets, transport: Transport, port: u16, limit: Duration) -> Result<Value> {
    let addresses: Vec<SocketAddr> =
        sockets.own_addresses(limit).await?.into_iter().map(|address| (address, port).into()).collect();
    for address in &addresses {
        match transport {
            Transport::Tcp => drop(tokio::spawn(accept(sockets.listen(*address, limit).await?))),
            Transport::Udp => drop(tokio::spawn(datagrams(sockets.bind(*address, limit).await?))),
        }
    }
    Ok(json!({ "listening": addresses }))
}

async fn accept(listener: Listener) {
    let room = Arc::new(Semaphore::new(STREAMS));
    while let Ok(place) = room.clone().acquire_owned().await {
        let Ok(stream) = listener.accept().await else { return };
        tokio::spawn(async move {
            let _ = echo(stream).await;
            drop(place);
        });
    }
}

async fn echo(mut stream: Box<dyn Stream>) -> Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
    }
}

async fn datagrams(socket: Datagrams) {
    let mut buffer = [0; 2048];
    while let Ok((from, count)) = socket.receive(&mut buffer).await {
        let _ = socket.send(&buffer[..count], from).await;
    }
}
