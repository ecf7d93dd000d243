//! Words to the service manager, where one listens. Source: sd_notify(3), `Type=notify-reload`.

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
};

use nix::time::{ClockId, clock_gettime};

/// What happens.
#[derive(Debug, Clone, Copy)]
pub enum State {
    /// Clients are served.
    Ready,
    /// The configuration is read again; [`State::Ready`] comes next.
    Reloading,
    /// On the way out.
    Stopping,
}

/// Says it, or nothing when nobody asked to be told.
pub fn notify(state: State) {
    let words = match state {
        State::Ready => "READY=1".to_owned(),
        State::Reloading => {
            let now = clock_gettime(ClockId::CLOCK_MONOTONIC)
                .map_or(0, |at| at.tv_sec().saturating_mul(1_000_000).saturating_add(at.tv_nsec() / 1000));
            format!("RELOADING=1\nMONOTONIC_USEC={now}")
        }
        State::Stopping => "STOPPING=1".to_owned(),
    };
    if let Some(socket) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())
        && let Err(e) = send(&socket, &words)
    {
        tracing::warn!(error = %e, "the service manager cannot be told");
    }
}

fn send(name: &std::ffi::OsStr, words: &str) -> io::Result<()> {
    let address = match name.as_encoded_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(words.as_bytes(), &address).map(drop)
}
