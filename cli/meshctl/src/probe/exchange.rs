//! One small question over HTTP, with as little machinery as can be: for a program that has to stay small.

use reqwest::Url;
use tokio::{net::lookup_host, time::timeout};

use super::{
    PATIENCE, http,
    tls::{NoWay, Stream, Trust, connect},
};

/// What goes out.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// `GET`, `POST`.
    pub method: &'a str,
    /// With its query.
    pub path: &'a str,
    /// Proves who asks.
    pub bearer: Option<&'a str>,
    /// JSON, or nothing.
    pub body: &'a str,
}

/// Asks the server behind a URL. Over TLS it must be trusted, before anything is sent.
pub async fn ask(url: &str, question: Question<'_>, trust: &Trust) -> Result<(u16, Vec<u8>), String> {
    let url: Url = url.parse().map_err(|e| format!("{url}: {e}"))?;
    let host = url.host_str().ok_or("the URL names no host")?.trim_matches(['[', ']']).to_owned();
    let secure = match url.scheme() {
        "https" => true,
        "http" => false,
        other => return Err(format!("{other} is neither http nor https")),
    };
    let port = url.port_or_known_default().unwrap_or(443);
    let found = timeout(PATIENCE, lookup_host((host.as_str(), port))).await;
    let found = found.map_err(|_| "the resolver does not answer".to_owned())?.map_err(|e| e.to_string())?;
    let mut last = "it has no address".to_owned();
    for at in found.take(4) {
        match connect(at, secure.then_some(host.as_str()), trust).await {
            Ok((stream, presented)) => {
                if let Some(why) = presented.and_then(|p| p.distrust) {
                    return Err(format!("its certificate is not trusted: {why}"));
                }
                let host = url.host_str().unwrap_or_default();
                return over(stream, &format!("{host}:{port}"), question).await;
            }
            Err(NoWay::Refused) => last = format!("nobody listens at {at}"),
            Err(NoWay::Unreachable(why) | NoWay::Tls(why)) => last = format!("{at}: {why}"),
        }
    }
    Err(last)
}

/// Asks over a connection that is there.
pub async fn over(mut stream: Stream, host: &str, question: Question<'_>) -> Result<(u16, Vec<u8>), String> {
    let Question { method, path, bearer, body } = question;
    let bearer = bearer.map(|text| format!("Authorization: Bearer {text}\r\n")).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{bearer}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let answered = async {
        let mut head = http::ask(&mut stream, &request).await.map_err(|e| e.to_string())?;
        let body = http::body(&mut stream, &mut head).await;
        Ok::<_, String>((head.status, body))
    };
    timeout(3 * PATIENCE, answered).await.map_err(|_| "no answer in time".to_owned())?
}
