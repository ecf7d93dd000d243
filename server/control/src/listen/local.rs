//! The local socket: mode 0600, and only its owner and root are served.

use std::{
    io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::Path,
    time::Duration,
};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::arrival::LocalPeer;

/// What is tried again after an error of the kernel, such as too many open files.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Binds the socket; one that a dead server left behind is replaced, anything else at that place is left alone and an
/// error. The server's lock file must be held.
pub fn bind_local(path: &Path) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => {
            let words = "something else than a socket is there; move it away";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, words));
        }
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
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(e) => {
                tracing::warn!(error = %e, "cannot accept a local connection");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_socket_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        drop(bind_local(&path).unwrap());
        assert!(path.exists(), "a socket outlives its server");
        drop(bind_local(&path).unwrap());
        std::fs::remove_file(&path).unwrap();

        std::fs::write(&path, "precious").unwrap();
        assert_eq!(bind_local(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");

        let link = folder.path().join("link.sock");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(bind_local(&link).is_err());
        assert!(link.is_symlink() && path.exists());
    }
}
