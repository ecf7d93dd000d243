//! One HTTP/1.1 exchange by hand: an upgrade must be seen as it travels.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::tls::Stream;

const LONGEST_HEAD: usize = 16 << 10;
const LONGEST_BODY: usize = 64 << 10;

/// The head of an answer, and what came behind it already.
#[derive(Debug, Clone, Default)]
pub struct Head {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub ahead: Vec<u8>,
}

impl Head {
    /// The first header of this name, in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
    /// The hops that name themselves, the one nearest to the server first.
    pub fn hops(&self) -> Vec<String> {
        let via = self.get("via").unwrap_or_default().split(',').map(str::trim).filter(|v| !v.is_empty());
        let via = via.map(|v| v.split(' ').nth(1).unwrap_or(v).to_owned());
        let server = self.get("server").map(str::to_owned);
        via.chain(server).collect()
    }
}

/// Sends a request and reads the head of its answer.
pub async fn ask(stream: &mut Stream, request: &str) -> io::Result<Head> {
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = parse(&bytes[..end]).ok_or_else(|| invalid("no HTTP answer"))?;
            return Ok(Head { ahead: bytes.split_off(end + 4), ..head });
        }
        if bytes.len() > LONGEST_HEAD {
            return Err(invalid("an answer whose head never ends"));
        }
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
}

/// The rest of an answer to a request that said `Connection: close`; at most so much as makes sense here.
pub async fn body(stream: &mut Stream, head: &mut Head) -> Vec<u8> {
    let mut bytes = std::mem::take(&mut head.ahead);
    let length = head.get("content-length").and_then(|l| l.parse::<usize>().ok());
    let wanted = length.unwrap_or(LONGEST_BODY).min(LONGEST_BODY);
    while bytes.len() < wanted {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&chunk[..read]),
            _ => break,
        }
    }
    match head.get("transfer-encoding") {
        Some(coding) if coding.eq_ignore_ascii_case("chunked") => unchunked(&bytes),
        _ => bytes,
    }
}

fn parse(head: &[u8]) -> Option<Head> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let pair = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    Some(Head { status, headers: lines.filter_map(pair).collect(), ahead: Vec::new() })
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = bytes.windows(2).position(|w| w == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end])
            .ok()
            .and_then(|s| usize::from_str_radix(s.split(';').next()?.trim(), 16).ok());
        let Some(chunk) = size.filter(|s| *s > 0).and_then(|size| bytes.get(end + 2..)?.get(..size)) else {
            break;
        };
        out.extend_from_slice(chunk);
        bytes = bytes.get(end + 4 + chunk.len()..).unwrap_or_default();
    }
    out
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_name_themselves_nearest_to_the_server_first() {
        let head =
            parse(b"HTTP/1.1 400 Bad Request\r\nVia: 1.1 inner, 1.1 outer\r\nServer: nginx/1.24.0").unwrap();
        assert_eq!(
            (head.status, head.hops()),
            (400, vec!["inner".into(), "outer".into(), "nginx/1.24.0".into()])
        );
        assert!(parse(b"SSH-2.0-x").is_none());
    }

    #[test]
    fn chunks_are_put_together() {
        assert_eq!(unchunked(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"), b"abcde");
        assert_eq!(unchunked(b"ffffffffffffffff\r\nabc"), b"");
    }
}
