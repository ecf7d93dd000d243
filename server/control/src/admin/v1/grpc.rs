//! Calls by name, as gRPC: one message in, one message out, the status behind it.
//!
//! Source: the HTTP/2 mapping of gRPC. A message is a byte that says whether it is compressed, its length in four
//! bytes, big-endian, and itself.

use std::convert::Infallible;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header, request::Parts};
use http_body_util::{BodyExt, Empty, Full};
use prost::Message;

use super::{super::entry, Answer, unfit::Unfit};

const CONTENT_TYPE: &str = "application/grpc";
const HEAD: usize = 5;

/// What was sent.
pub async fn input<I: Message + Default>(parts: &Parts, body: Body) -> Result<I, Unfit> {
    let kind = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if !kind.starts_with(CONTENT_TYPE.as_bytes()) {
        return Err(Unfit::request("the content type of a call by name is application/grpc"));
    }
    let body = entry::whole(body).await?;
    let (head, message) = body
        .split_at_checked(HEAD)
        .ok_or_else(|| Unfit::request("a message of gRPC has a head of five bytes"))?;
    if head[0] != 0 {
        return Err(Unfit::not_here("compressed messages"));
    }
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    if usize::try_from(length) != Ok(message.len()) {
        return Err(Unfit::request("the length of the message is not the one that its head says"));
    }
    I::decode(message).map_err(|e| Unfit::request(e.to_string()))
}

/// What is answered.
pub fn answer<O: Message>(outcome: Answer<O>) -> Response {
    match outcome {
        Ok(answer) => {
            let length = answer.encoded_len();
            let mut frame = Vec::with_capacity(HEAD + length);
            frame.push(0);
            frame.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
            frame.extend(answer.encode_to_vec());
            respond(Full::from(frame), status(0, ""))
        }
        Err(unfit) => refusal(unfit),
    }
}

/// No call has that name.
pub async fn no_such_call() -> Response {
    refusal(Unfit::not_here("this server has no call of that name"))
}

fn refusal(unfit: Unfit) -> Response {
    let problem = unfit.into_problem();
    respond(Empty::new(), status(problem.code, &problem.message))
}

fn respond(
    body: impl hyper::body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
    trailers: HeaderMap,
) -> Response {
    let body = body.with_trailers(async move { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}

fn status(code: i32, message: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(code));
    if let Ok(message) = HeaderValue::from_str(&escaped(message)) {
        trailers.insert("grpc-message", message);
    }
    trailers
}

/// Everything but printable ASCII, and the percent sign, escaped.
fn escaped(message: &str) -> String {
    message.bytes().fold(String::new(), |mut out, b| {
        if (b == b' ' || b.is_ascii_graphic()) && b != b'%' {
            out.push(b as char);
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
        out
    })
}
