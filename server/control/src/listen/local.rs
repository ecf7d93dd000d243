//! The local socket: mode 0600, and only its owner and root are served.

use std::{io, os::unix::fs::PermissionsExt, path::Path};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::arrival::LocalPeer;

/// Binds the socket; one that a dead server left behind is replaced. The server's lock file must be held.
pub fn bind_local(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves until told to stop.
pub async fn serve_local(listener: UnixListener, router: Router, stop: CancellationToken) {
    let owner = own_uid();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let Some(peer) = peer_of(&stream).filter(|p| p.uid == 0 || Some(p.uid) == owner) else {
            tracing::warn!(target: "security", "auth_fail ip=local kind=socket_peer");
            continue;
        };
        let (router, stop) = (router.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = connection(stream, peer, router) => {}
            }
        });
    }
}

async fn connection(stream: UnixStream, peer: LocalPeer, router: Router) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.clone().oneshot(request.map(Body::new))
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

fn peer_of(stream: &UnixStream) -> Option<LocalPeer> {
    stream.peer_cred().ok().map(|c| LocalPeer { uid: c.uid() })
}

/// The user this process runs as: the owner of what it has open.
fn own_uid() -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").ok().map(|m| m.uid())
}
