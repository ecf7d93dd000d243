//! What a listener tells the doors of a connection, as extensions of its requests.

use tokio_util::sync::CancellationToken;

/// Who is on the other end of the local socket, as the kernel says.
#[derive(Debug, Clone, Copy)]
pub struct LocalPeer {
    /// User id of the process.
    pub uid: u32,
}

/// Cancelled when the server stops: whoever takes an upgraded connection out of HTTP ends it then.
#[derive(Debug, Clone)]
pub struct Stopping(pub CancellationToken);

/// Cancelled by the door that saw a good credential: whoever is on the other end is no stranger any more.
#[derive(Debug, Clone)]
pub struct Proven(pub CancellationToken);
