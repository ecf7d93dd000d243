//! A caller of the admin API, over the local socket or over TCP.

use std::{net::SocketAddr, path::PathBuf};

use api::{DEFAULT_TAILNET, Operation, Problem, key};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

#[derive(Debug, Clone)]
enum Way {
    Socket(PathBuf),
    Tcp(SocketAddr),
}

/// Somebody who calls; every call is a connection of its own.
#[derive(Debug, Clone)]
pub struct Admin {
    way: Way,
    authorization: Option<String>,
}

impl Admin {
    pub fn local(socket: PathBuf) -> Self {
        Self { way: Way::Socket(socket), authorization: None }
    }
    /// Over TCP with this `Authorization` header, as it is.
    pub fn remote(address: SocketAddr, authorization: Option<String>) -> Self {
        Self { way: Way::Tcp(address), authorization }
    }

    /// Calls; `names` fill the path behind the tailnet.
    pub async fn call<I: Serialize, O: DeserializeOwned>(
        &self,
        operation: &Operation<I, O>,
        names: &[&str],
        input: &I,
    ) -> Result<O, Problem> {
        let declared = operation.declared();
        let path = declared.at(&[&[DEFAULT_TAILNET], names].concat()).unwrap();
        let body = serde_json::to_string(input).unwrap();
        let (status, answer) = self.raw(&declared.method.to_string(), &path, body).await.unwrap();
        if status == StatusCode::OK {
            return Ok(serde_json::from_str(&answer).unwrap());
        }
        Err(serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{e} in {status} {answer}")))
    }

    /// Any request; status and body come back as they are.
    pub async fn raw(&self, method: &str, path: &str, body: String) -> anyhow::Result<(StatusCode, String)> {
        let answer = self.whole(method, path, &[], body).await?;
        Ok((answer.status(), answer.into_body()))
    }

    /// The same with headers both ways.
    pub async fn whole(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> anyhow::Result<Response<String>> {
        let io: Box<dyn Duplex> = match &self.way {
            Way::Socket(path) => Box::new(UnixStream::connect(path).await?),
            Way::Tcp(address) => Box::new(TcpStream::connect(address).await?),
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await?;
        let running = tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "mesh.test");
        if let Some(value) = &self.authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = sender.send_request(request.body(Full::new(Bytes::from(body)))?).await?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        running.abort();
        Ok(Response::from_parts(parts, String::from_utf8(body.to_vec())?))
    }

    /// Makes a key and gives its whole text away.
    pub async fn key(&self, create: &key::Create) -> String {
        self.created_key(create).await.0
    }

    /// The key's text and its id.
    pub async fn created_key(&self, create: &key::Create) -> (String, String) {
        let created = self.call(&key::CREATE, &[], create).await.unwrap().outcome;
        (created.secret.unwrap().expose().to_owned(), created.key.unwrap().id.to_string())
    }
}

/// A reusable key of the role `member`.
pub fn reusable() -> key::Create {
    key::Create {
        role: "member".into(),
        user: None,
        expiry_seconds: None,
        reusable: None,
        ephemeral: None,
        allow_no_access: false,
    }
}

/// The same for one device only.
pub fn single_use() -> key::Create {
    key::Create { reusable: Some(false), ..reusable() }
}
