//! What is at a port without TLS.

use std::{net::SocketAddr, time::Duration};

use readiness::check::server::Plain;
use tokio::time::timeout;
use wire::CapVer;

use super::{
    http,
    tls::{NoWay, Trust, connect},
};

const WAIT: Duration = Duration::from_millis(1500);

/// Asks for a server's key and for metrics.
pub async fn ask(at: SocketAddr) -> Plain {
    match timeout(WAIT, both(at)).await {
        Ok(found) => found,
        Err(_) => Plain::Silent,
    }
}

async fn both(at: SocketAddr) -> Plain {
    let key = format!("/key?v={}", CapVer::OURS.0);
    for (path, mark, found) in
        [(key.as_str(), "publicKey", Plain::Control), ("/metrics", "# TYPE ", Plain::Metrics)]
    {
        let mut stream = match connect(at, None, &Trust::default()).await {
            Ok((stream, _)) => stream,
            Err(NoWay::Refused) => return Plain::Nothing,
            Err(NoWay::Unreachable(_) | NoWay::Tls(_)) => return Plain::Silent,
        };
        let request = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
        let Ok(mut head) = http::ask(&mut stream, &request).await else { continue };
        let body = http::body(&mut stream, &mut head).await;
        if head.status == 200 && String::from_utf8_lossy(&body).contains(mark) {
            return found;
        }
    }
    Plain::Nothing
}
