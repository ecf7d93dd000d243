//! One call of the admin API, over a socket or a URL.

use std::{error::Error, time::Duration};

use api::{Changed, Method, Operation, Problem, code};
use ident::Secret;
use reqwest::{
    RequestBuilder, Response,
    header::{AUTHORIZATION, HeaderValue},
    redirect,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Events, Failure, file,
    target::{Target, Way},
};

/// The longest answer that is read.
const LONGEST_ANSWER: usize = 256 << 20;

/// A way to a server with the credential for it.
pub struct Client {
    http: reqwest::Client,
    base: String,
    place: String,
    tailnet: String,
    key: Option<Secret<String>>,
}

impl Client {
    /// Reads the credential; connects with the first call.
    pub fn open(target: &Target) -> Result<Self, Failure> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("meshctl/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10));
        let (builder, base, key) = match &target.way {
            Way::Socket(path) => (builder.unix_socket(path.as_path()), "http://localhost".to_owned(), None),
            Way::Url { url, api_key_file } => (builder, url.clone(), Some(file::read_secret(api_key_file)?)),
        };
        let http =
            builder.build().map_err(|e| Failure::failed(format!("cannot speak HTTP: {}", cause(&e))))?;
        Ok(Self { http, base, place: target.place(), tailnet: target.tailnet.clone(), key })
    }
    /// With this key instead of the target's own. A socket asks for no key, so that it would prove nothing.
    pub fn open_as(target: &Target, key: Secret<String>) -> Result<Self, Failure> {
        match &target.way {
            Way::Url { .. } => Ok(Self { key: Some(key), ..Self::open(target)? }),
            Way::Socket(_) => {
                Err(Failure::usage("a local socket takes no key, so that it proves nothing about one")
                    .hint("--server URL says where the key is to be tried"))
            }
        }
    }
    /// The status with which a URL answers.
    pub async fn probe(url: &str) -> Result<u16, String> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("meshctl/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .timeout(Duration::from_secs(10));
        let response = builder.build().map_err(|e| cause(&e))?.get(url).send().await;
        response.map(|r| r.status().as_u16()).map_err(|e| cause(&e))
    }
    /// Calls an operation and reads its answer. `check` is for operations that write.
    pub async fn call<I: Serialize, O: DeserializeOwned>(
        &self,
        operation: &Operation<I, O>,
        names: &[&str],
        input: &I,
        check: Option<bool>,
    ) -> Result<O, Failure> {
        let request = self.request(operation, names, input, check)?.timeout(Duration::from_secs(60));
        let may_have_happened = operation.declared().writes && check != Some(true);
        let response = request.send().await.map_err(|e| self.lost(&e, may_have_happened))?;
        let response = self.accepted(response).await?;
        let body = read(response).await.map_err(|e| self.lost(&e, may_have_happened))?;
        serde_json::from_slice(&body).map_err(|e| self.foreign(&format!("its answer does not fit: {e}")))
    }
    /// Opens an operation that answers a stream of events.
    pub async fn follow<I: Serialize, O: DeserializeOwned>(
        &self,
        operation: &Operation<I, O>,
        input: &I,
    ) -> Result<Events<O>, Failure> {
        let request = self.request(operation, &[], input, None)?;
        let response = request.send().await.map_err(|e| self.lost(&e, false))?;
        Ok(Events::new(self.accepted(response).await?, self.place.clone()))
    }

    /// Calls an operation that answers a file. `described` is the header that says what it is.
    pub async fn download<I: Serialize, O: DeserializeOwned>(
        &self,
        operation: &Operation<I, Changed<O>>,
        input: &I,
        described: &str,
    ) -> Result<Download<O>, Failure> {
        let request = self.request(operation, &[], input, Some(false))?;
        let response = request.send().await.map_err(|e| self.lost(&e, false))?;
        let response = self.accepted(response).await?;
        let header = response.headers().get(described).map(HeaderValue::as_bytes).unwrap_or_default();
        let described = serde_json::from_slice(header)
            .map_err(|e| self.foreign(&format!("what it says of its file does not fit: {e}")))?;
        Ok(Download { described, response, place: self.place.clone() })
    }

    fn request<I: Serialize, O>(
        &self,
        operation: &Operation<I, O>,
        names: &[&str],
        input: &I,
        check: Option<bool>,
    ) -> Result<RequestBuilder, Failure> {
        let declared = operation.declared();
        let values: Vec<_> = std::iter::once(self.tailnet.as_str()).chain(names.iter().copied()).collect();
        let path = declared.at(&values).ok_or_else(|| Failure::failed(format!("no path for {values:?}")))?;
        let input = serde_json::to_value(input).map_err(|e| Failure::failed(e.to_string()))?;
        let query = match (declared.method, check) {
            (Method::Get, _) => query(&input),
            (_, Some(true)) => "?check=true".to_owned(),
            _ => String::new(),
        };
        let method = match declared.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut request = self.http.request(method, format!("{}{path}{query}", self.base));
        if declared.method != Method::Get && !input.is_null() {
            request = request.json(&input);
        }
        match &self.key {
            Some(key) => Ok(request.header(AUTHORIZATION, bearer(key)?)),
            None => Ok(request),
        }
    }
    async fn accepted(&self, response: Response) -> Result<Response, Failure> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = read(response).await.unwrap_or_default();
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) if problem.code == code::UNAUTHORIZED => {
                let hint = "`meshctl apikey create --out FILE` on the server makes a new one";
                Err(Failure::from(problem).hint(hint))
            }
            Ok(problem) => Err(problem.into()),
            Err(_) => Err(self.foreign(&format!("it answered {status} in other words than meshctl's"))),
        }
    }
    fn foreign(&self, what: &str) -> Failure {
        Failure::failed(format!("{} is no meshctl server of this kind: {what}", self.place))
            .hint("compare `meshctl --version` on both sides; look for a proxy in between")
            .code("foreign_answer")
    }
    fn lost(&self, e: &reqwest::Error, may_have_happened: bool) -> Failure {
        let cause = cause(e);
        if e.is_connect() || e.is_builder() {
            return Failure::failed(format!("cannot reach {}: {cause}", self.place))
                .hint("is it running? `meshctl server run` or `meshctl quickstart` starts one")
                .code("unreachable");
        }
        let detail = format!("{} did not answer: {cause}", self.place);
        if may_have_happened {
            let hint = "it may have been done or not: look before you repeat it";
            return Failure::unknown(detail).hint(hint).code("answer_lost");
        }
        Failure::failed(detail).code("answer_lost")
    }
}

/// A file on its way here.
pub struct Download<O> {
    /// What it is.
    pub described: O,
    response: Response,
    place: String,
}

impl<O> Download<O> {
    /// The next piece of it; `None` behind the last. What was broken off is an error.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let piece = self.response.chunk().await.map(|piece| piece.map(|bytes| bytes.to_vec()));
        piece.map_err(|e| {
            let detail = format!("the file from {} was broken off: {}", self.place, cause(&e));
            Failure::failed(detail).hint("the server's log says why").code("answer_lost")
        })
    }
}

async fn read(mut response: Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn bearer(key: &Secret<String>) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose()))
        .map_err(|_| Failure::usage("the API key holds characters that no API key has"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The members of an object as a query; texts are escaped, nulls left out.
fn query(input: &serde_json::Value) -> String {
    let Some(members) = input.as_object() else { return String::new() };
    let pairs: Vec<_> = members
        .iter()
        .filter(|(_, v)| !v.is_null())
        .map(|(k, v)| {
            format!("{k}={}", api::escape(&v.as_str().map_or_else(|| v.to_string(), str::to_owned)))
        })
        .collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// The innermost reason: the outer ones only repeat the URL.
fn cause(e: &reqwest::Error) -> String {
    let mut inner: &dyn Error = e;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_escaped() {
        let input = serde_json::json!({"limit": 3, "kind": "a&b=c", "before": null});
        assert_eq!(query(&input), "?kind=a%26b%3Dc&limit=3");
        assert_eq!(query(&serde_json::Value::Null), "");
    }
}
