//! Backups, encrypted on the way out.

use std::{
    io::{self, Write},
    mem,
    time::Duration,
};

use api::backup::{CREATE, Create, MANIFEST, Manifest, PROVE};
use axum::{
    Json,
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, header};
use jiff::Timestamp;
use tokio::{
    runtime::Handle,
    sync::{OwnedMutexGuard, mpsc},
    time::timeout,
};
use world::Command;

use super::{Routes, call::Call, refused::Refused, serve, serve_raw};
use crate::{
    backup::{BackupError, Recipients, Snapshot, Sources},
    quota::Spent,
};

/// Bytes that are sent at once.
const PIECE: usize = 64 << 10;
/// Pieces that wait for a slow caller.
const WAITING: usize = 8;
/// A caller who takes nothing for so long has gone away.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);
/// When to ask again while another backup is under way.
const AGAIN: Duration = Duration::from_secs(10);

pub(super) fn add(routes: Routes) -> Routes {
    serve_raw(serve(routes, &PROVE, prove), CREATE.declared(), create)
}

async fn prove(call: Call, (): ()) -> Result<Manifest, Refused> {
    let _alone = alone(&call)?;
    Ok(snapshot(&call).await?.manifest().clone())
}

async fn create(call: Call, input: Create) -> Result<Response, Refused> {
    let recipients = Recipients::parse(&input.recipients).map_err(unfit)?;
    let alone = alone(&call)?;
    call.carry_out(Command::NoteBackup { recipients: recipients.names() }).await?;
    let snapshot = snapshot(&call).await?;
    if call.is_check() {
        return Ok(Json(call.answer(true, snapshot.manifest().clone())).into_response());
    }
    let described = serde_json::to_vec(snapshot.manifest()).map_err(|e| Refused::fault(&e))?;
    let described = HeaderValue::from_bytes(&described).map_err(|e| Refused::fault(&e))?;
    let (to, from) = mpsc::channel(WAITING);
    let pipe = Pipe { to, handle: Handle::current(), piece: Vec::with_capacity(PIECE) };
    tokio::task::spawn_blocking(move || {
        let _alone = alone;
        send(snapshot, &recipients, pipe);
    });
    let pieces = stream::unfold(Some(from), next);
    let head = [(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))];
    let mut response = (head, Body::from_stream(pieces)).into_response();
    response.headers_mut().insert(MANIFEST, described);
    Ok(response)
}

/// A copy of everything takes room and work: one at a time.
fn alone(call: &Call) -> Result<OwnedMutexGuard<()>, Refused> {
    call.doors.backups.clone().try_lock_owned().map_err(|_| Refused::too_often(Spent(AGAIN)))
}

async fn snapshot(call: &Call) -> Result<Snapshot, Refused> {
    let sources = Sources::of(&call.doors.config());
    let taken = tokio::task::spawn_blocking(move || Snapshot::take(&sources, Timestamp::now())).await;
    taken.map_err(|e| Refused::fault(&e))?.map_err(|e| Refused::fault(&e))
}

/// `None` says that all of it was there.
type Piece = Option<Bytes>;

/// A stream of pieces that ends without the last word is broken off, so that nobody takes a part for the whole.
async fn next(
    from: Option<mpsc::Receiver<Piece>>,
) -> Option<(io::Result<Bytes>, Option<mpsc::Receiver<Piece>>)> {
    let mut from = from?;
    match from.recv().await {
        Some(Some(piece)) => Some((Ok(piece), Some(from))),
        Some(None) => None,
        None => Some((Err(io::Error::other("the backup was broken off")), None)),
    }
}

fn send(snapshot: Snapshot, recipients: &Recipients, pipe: Pipe) {
    let failed = |cause| BackupError::Io { what: "sending the backup".to_owned(), cause };
    let sent = snapshot.write(recipients, pipe).and_then(|pipe| pipe.finish().map_err(failed));
    if let Err(e) = sent {
        tracing::warn!(error = %e, "a backup was broken off");
    }
}

/// What is written comes out of the other end in pieces; a caller who has gone away is an error.
struct Pipe {
    to: mpsc::Sender<Piece>,
    handle: Handle,
    piece: Vec<u8>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE {
            self.flush()?;
        }
        Ok(taken)
    }
    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.hand_over(Some(Bytes::from(piece)))
    }
}

impl Pipe {
    fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.hand_over(None)
    }
    fn hand_over(&self, piece: Piece) -> io::Result<()> {
        match self.handle.block_on(timeout(TAKEN_WITHIN, self.to.send(piece))) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the caller has gone away")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the caller takes nothing")),
        }
    }
}

fn unfit(e: BackupError) -> Refused {
    Refused::bad_request(&e).hinted(e.hint())
}
