//! What no server can avoid, since every connection has a key of its own: to seal what is said, and to write it. Measured
//! over as many TCP connections on loopback, to readers that wait for it as clients do.

use std::{
    io::Write,
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bytes::BytesMut;
use noise::{Initiator, Opener, PrivateKey, Responder, Sealer, Transport};
use serde::Serialize;
use tokio::{io::AsyncReadExt, task::JoinSet};

use crate::{gauge::own_thread, open_files, report::median};

/// Connections at most; what one costs does not change with more.
const MOST: usize = 2000;
const ROUNDS: usize = 9;
const MAPS: usize = 20;
/// Sealed and written at once, of what is longer.
const PIECE_BYTES: usize = 64 << 10;
const READ_BYTES: usize = 8 << 10;
/// Between two rounds, so that each finds the readers waiting.
const PAUSE: Duration = Duration::from_millis(50);
const READ_WITHIN: Duration = Duration::from_secs(30);
/// HTTP/2: the head of a frame, and how long one may be unless the client says otherwise (RFC 9113, 4.1 and 4.2).
const FRAME_HEAD_BYTES: usize = 9;
const FRAME_BYTES: usize = 16 << 10;

/// CPU time of the one thread that does it; medians.
#[derive(Debug, Serialize)]
pub struct Bound {
    connections: usize,
    /// One message to each: one record, one write.
    pub delivery_us: f64,
    /// A whole map to one.
    pub map_us: f64,
}

impl Bound {
    /// For so many clients, messages and maps of so many bytes.
    pub async fn measure(nodes: usize, delivery_bytes: usize, map_bytes: usize) -> Result<Self> {
        let connections = nodes.min(MOST).min(open_files::left()? / 2);
        let read = Arc::new(AtomicUsize::new(0));
        let mut readers = JoinSet::new();
        let mut writers = Vec::new();
        for n in 0..connections {
            let (writer, reader, opener) = connect(n)?;
            writers.push(writer);
            readers.spawn(take(reader, opener, Arc::clone(&read)));
        }
        let measured = tokio::task::spawn_blocking(move || {
            let mut hall = Hall { writers, sealed: BytesMut::new(), read, written: 0 };
            let delivery_us = hall.deliveries(&framed(delivery_bytes))?;
            let map_us = hall.maps(&framed(map_bytes))?;
            anyhow::Ok(Self { connections, delivery_us, map_us })
        });
        let measured = measured.await??;
        while let Some(reader) = readers.join_next().await {
            reader??;
        }
        Ok(measured)
    }
}

/// All connections, from the server's end.
struct Hall {
    writers: Vec<Writer>,
    sealed: BytesMut,
    /// By all readers, opened.
    read: Arc<AtomicUsize>,
    written: usize,
}

struct Writer {
    socket: TcpStream,
    sealer: Sealer,
}

impl Hall {
    fn deliveries(&mut self, message: &[u8]) -> Result<f64> {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let before = own_thread()?;
            for n in 0..self.writers.len() {
                self.say(n, message)?;
            }
            let used = own_thread()? - before;
            rounds.push(used.as_secs_f64() * 1e6 / self.writers.len() as f64);
            self.all_read()?;
        }
        Ok(median(rounds))
    }

    fn maps(&mut self, map: &[u8]) -> Result<f64> {
        let mut maps = Vec::new();
        for n in (0..self.writers.len()).cycle().take(MAPS) {
            let before = own_thread()?;
            for piece in map.chunks(PIECE_BYTES) {
                self.say(n, piece)?;
            }
            maps.push((own_thread()? - before).as_secs_f64() * 1e6);
            self.all_read()?;
        }
        Ok(median(maps))
    }

    fn say(&mut self, n: usize, words: &[u8]) -> Result<()> {
        let writer = self.writers.get_mut(n).context("a connection")?;
        self.sealed.clear();
        writer.sealer.seal(words, &mut self.sealed)?;
        writer.socket.write_all(&self.sealed)?;
        self.written += words.len();
        Ok(())
    }

    fn all_read(&self) -> Result<()> {
        let begun = Instant::now();
        while self.read.load(Relaxed) < self.written {
            if begun.elapsed() > READ_WITHIN {
                bail!("of {} bytes that were written, {} were read", self.written, self.read.load(Relaxed));
            }
            sleep(Duration::from_millis(1));
        }
        sleep(PAUSE);
        Ok(())
    }
}

/// Both ends of a connection with a key of its own.
fn connect(number: usize) -> Result<(Writer, TcpStream, Opener)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let reader = TcpStream::connect(listener.local_addr()?)?;
    let (socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    reader.set_nonblocking(true)?;
    let (client, server) = (PrivateKey::new([9; 32])?, PrivateKey::new([7; 32])?);
    let mut ephemeral = [0x3c; 32];
    ephemeral[8..16].copy_from_slice(&(number as u64).to_le_bytes());
    let (initiation, initiator) = Initiator::new(&client, server.public_key(), ephemeral, 130)?;
    let accepted = Responder::accept(&server, ephemeral.map(|byte| !byte), &initiation)?;
    let Transport { opener, .. } = initiator.finish(&accepted.response)?;
    Ok((Writer { socket, sealer: accepted.transport.sealer }, reader, opener))
}

/// Reads and opens until the other end is closed.
async fn take(socket: TcpStream, mut opener: Opener, read: Arc<AtomicUsize>) -> Result<()> {
    let mut socket = tokio::net::TcpStream::from_std(socket)?;
    let (mut came, mut plain) = (vec![0; READ_BYTES], BytesMut::new());
    loop {
        let bytes = socket.read(&mut came).await?;
        if bytes == 0 {
            return Ok(());
        }
        opener.push(&came[..bytes], &mut plain)?;
        read.fetch_add(plain.len(), Relaxed);
        plain.clear();
    }
}

/// So many bytes in HTTP/2 frames.
fn framed(bytes: usize) -> Vec<u8> {
    vec![0x5a; bytes + bytes.div_ceil(FRAME_BYTES) * FRAME_HEAD_BYTES]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn all_that_is_written_is_opened_and_costs_something() {
        let bound = Bound::measure(5, 76, 200_000).await.unwrap();
        assert_eq!(bound.connections, 5);
        assert!(bound.delivery_us > 0.0, "{bound:?}");
        assert!(bound.map_us > bound.delivery_us, "{bound:?}");
        assert_eq!((framed(76).len(), framed(20_000).len()), (85, 20_018));
    }
}
