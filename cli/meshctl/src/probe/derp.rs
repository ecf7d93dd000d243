//! A relay: TLS, the upgrade, its first frame.

use std::time::Instant;

use derp::{Decoder, Frame};
use readiness::check::relay::Derp;
use tokio::{io::AsyncReadExt, net::lookup_host, time::timeout};

use super::{
    PATIENCE, http,
    tls::{NoWay, Presented, Stream, Trust, connect},
};

/// What the relay said, and what it presented.
pub async fn ask(host: &str, port: u16, trust: &Trust) -> (Derp, Option<Presented>) {
    let at = match lookup_host((host, port)).await.map(|mut all| all.next()) {
        Ok(Some(at)) => at,
        Ok(None) => return (Derp::Unreachable("no address".into()), None),
        Err(e) => return (Derp::Unreachable(e.to_string()), None),
    };
    let begun = Instant::now();
    let (mut stream, presented) = match connect(at, Some(host), trust).await {
        Ok(connected) => connected,
        Err(NoWay::Refused) => return (Derp::Refused, None),
        Err(NoWay::Unreachable(why)) => return (Derp::Unreachable(why), None),
        Err(NoWay::Tls(why)) => return (Derp::Tls(why), None),
    };
    let answer = timeout(PATIENCE, greet(&mut stream, host, port, begun)).await;
    (
        answer.unwrap_or_else(|_| Derp::Unreachable(format!("nothing within {} s", PATIENCE.as_secs()))),
        presented,
    )
}

/// How a DERP map names a certificate that clients are to expect.
pub fn cert_name(der: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    digest.as_ref().iter().fold("sha256-raw:".to_owned(), |name, byte| name + &format!("{byte:02x}"))
}

async fn greet(stream: &mut Stream, host: &str, port: u16, begun: Instant) -> Derp {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let request =
        format!("GET /derp HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n");
    let head = match http::ask(stream, &request).await {
        Ok(head) => head,
        Err(e) => return Derp::Nonsense(e.to_string()),
    };
    if head.status != 101 {
        return Derp::NoUpgrade { status: head.status, hops: head.hops() };
    }
    let mut decoder = Decoder::new();
    decoder.push(&head.ahead);
    loop {
        match decoder.next_frame() {
            Ok(Some(Frame::ServerKey(_))) => {
                return Derp::Greeted { milliseconds: begun.elapsed().as_millis() as u64 };
            }
            Ok(Some(_)) => return Derp::Nonsense("its first frame is not its key".into()),
            Err(e) => return Derp::Nonsense(e.to_string()),
            Ok(None) => {}
        }
        let mut chunk = [0; 1024];
        match stream.read(&mut chunk).await {
            Ok(0) => return Derp::Nonsense("it hung up".into()),
            Ok(read) => decoder.push(&chunk[..read]),
            Err(e) => return Derp::Nonsense(e.to_string()),
        }
    }
}
