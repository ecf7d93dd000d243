//! One connection: hello, then packets both ways until one side has enough.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use derp::{Frame, FrameError, HelloError};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::{Instant, sleep_until, timeout},
};

use super::{
    outbox::Outbox,
    reader::FrameReader,
    sorter::Sorter,
    switch::{Relay, Seat},
};
use crate::quota::Party;

const HELLO_DEADLINE: Duration = Duration::from_secs(10);
const WRITE_DEADLINE: Duration = Duration::from_secs(2);
/// Clients give up after 120 s of silence; proxies often after 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(45);
const KEEP_ALIVE_JITTER_MS: u16 = 5000;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("no hello in time")]
    HelloDeadline,
    #[error("a frame that does not belong there")]
    OutOfTurn,
    #[error("not admitted")]
    NotAdmitted,
    #[error("cut")]
    Cut,
    #[error("it takes nothing")]
    Stalled,
    #[error("no randomness")]
    Randomness,
    #[error(transparent)]
    Hello(#[from] HelloError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Relay {
    /// Serves one connection on which DERP frames are next, until it ends. `remote` is the client's own address
    /// (not a proxy's): unfinished hellos are limited by it.
    pub async fn serve_connection<IO>(self: Arc<Self>, io: IO, remote: SocketAddr)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(pass) = self.strangers().enter(Party::household(remote.ip())) else {
            return tracing::debug!(%remote, "relay: too many unfinished hellos");
        };
        let (reader, mut writer) = tokio::io::split(io);
        let mut reader = FrameReader::new(reader);
        let hello = timeout(HELLO_DEADLINE, hello(&self, remote, &mut reader, &mut writer)).await;
        drop(pass);
        let seat = match hello.unwrap_or(Err(Ended::HelloDeadline)) {
            Ok(seat) => seat,
            Err(reason) => return tracing::debug!(%remote, %reason, "relay: refused"),
        };
        tracing::debug!(%remote, node_key = ?seat.key, "relay: connected");
        let ended = tokio::select! {
            biased;
            () = seat.outbox.closed() => Err(Ended::Cut),
            ended = talk(&seat.outbox, writer) => ended,
            ended = listen(&seat, reader) => ended,
        };
        let Err(reason) = ended;
        tracing::debug!(%remote, node_key = ?seat.key, %reason, "relay: ended");
    }
}

async fn hello<IO>(
    relay: &Arc<Relay>,
    remote: SocketAddr,
    reader: &mut FrameReader<IO>,
    writer: &mut (impl AsyncWrite + Unpin),
) -> Result<Seat, Ended>
where
    IO: AsyncRead,
{
    write_out(writer, &relay.key().greeting().to_bytes()).await?;
    let Frame::ClientInfo { key, sealed } = reader.next::<Ended>().await? else {
        return Err(Ended::OutOfTurn);
    };
    let info = relay.key().open_client_info(&key, &sealed)?;
    if let Some(inquiry) = relay.inquire(&key, remote.ip()) {
        inquiry.await;
    }
    let seat = relay.admit(key).ok_or(Ended::NotAdmitted)?;
    tracing::trace!(node_key = ?key, version = info.version, prober = info.is_prober, "relay: hello");
    let answer = relay.key().seal_server_info(&key, random()?)?;
    write_out(writer, &answer.to_bytes()).await?;
    Ok(seat)
}

/// Reads what the client sends and passes it on.
async fn listen<IO: AsyncRead>(seat: &Seat, mut reader: FrameReader<IO>) -> Result<Infallible, Ended> {
    let mut sorter = Sorter::new(seat);
    loop {
        let arrived = loop {
            match reader.decoded() {
                Ok(Some(Frame::SendPacket { to, packet })) => sorter.pass_on(to, packet).await,
                Ok(Some(Frame::Ping(data))) => {
                    // The answer means that what came before is dealt with.
                    sorter.flush().await;
                    seat.outbox.pong(data);
                }
                Ok(Some(Frame::ClientInfo { .. })) => break Err(Ended::OutOfTurn),
                // Words of servers, and of clients about themselves, ask for nothing.
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(e) => break Err(e.into()),
            }
        };
        sorter.flush().await;
        arrived?;
        reader.more().await?;
    }
}

/// Writes what waits, and a sign of life within each minute.
async fn talk(outbox: &Outbox, mut io: impl AsyncWrite + Unpin) -> Result<Infallible, Ended> {
    let period = silence(u16::from_be_bytes(random()?));
    let mut keep_alive = Instant::now() + period;
    let mut batch = Vec::new();
    loop {
        outbox.fill(&mut batch);
        if batch.is_empty() {
            // An idle connection holds no buffer.
            batch = Vec::new();
            tokio::select! {
                () = outbox.ready() => continue,
                () = sleep_until(keep_alive) => Frame::KeepAlive.encode(&mut batch),
            }
            keep_alive = Instant::now() + period;
        }
        let begun = Instant::now();
        write_out(&mut io, &batch).await?;
        outbox.wrote(begun.elapsed());
        batch.clear();
    }
}

/// Writes and flushes; each step forward may take 2 s.
async fn write_out(io: &mut (impl AsyncWrite + Unpin), mut rest: &[u8]) -> Result<(), Ended> {
    while !rest.is_empty() {
        let written = timeout(WRITE_DEADLINE, io.write(rest)).await.map_err(|_| Ended::Stalled)??;
        if written == 0 {
            return Err(io::Error::from(io::ErrorKind::WriteZero).into());
        }
        rest = rest.get(written..).unwrap_or_default();
    }
    Ok(timeout(WRITE_DEADLINE, io.flush()).await.map_err(|_| Ended::Stalled)??)
}

fn random<const N: usize>() -> Result<[u8; N], Ended> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Ended::Randomness)?;
    Ok(bytes)
}

/// The longest of a connection.
fn silence(mixed: u16) -> Duration {
    KEEP_ALIVE + Duration::from_millis((mixed % KEEP_ALIVE_JITTER_MS).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[test]
    fn no_proxy_hears_nothing_for_a_minute() {
        let longest = (0..=u16::MAX).map(silence).max().unwrap();
        assert!(longest < Duration::from_secs(50), "{longest:?}");
        assert_ne!(silence(1), silence(2), "and not all speak at once");
    }

    #[tokio::test]
    async fn who_takes_nothing_is_given_up_after_two_seconds() {
        let (mut mine, _theirs) = tokio::io::duplex(8);
        let start = Instant::now();
        assert!(matches!(write_out(&mut mine, &[0; 64]).await, Err(Ended::Stalled)));
        assert!(start.elapsed() >= WRITE_DEADLINE);
    }

    #[tokio::test]
    async fn who_takes_slowly_is_not() {
        let (mut mine, mut theirs) = tokio::io::duplex(8);
        let reader = tokio::spawn(async move {
            let mut taken = [0; 64];
            for slice in taken.chunks_mut(8) {
                tokio::time::sleep(WRITE_DEADLINE / 6).await;
                theirs.read_exact(slice).await.unwrap();
            }
        });
        write_out(&mut mine, &[0; 64]).await.unwrap();
        reader.await.unwrap();
    }
}
