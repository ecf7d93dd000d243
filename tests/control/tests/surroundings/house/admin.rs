//! The operator on the server's own machine.

use std::path::PathBuf;

use api::{DEFAULT_TAILNET, Operation, Problem, key};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;

/// Calls over the local socket; every call is a connection of its own.
#[derive(Debug, Clone)]
pub struct Admin(pub PathBuf);

impl Admin {
    /// Calls; `names` fill the path behind the tailnet.
    pub async fn call<I: Serialize, O: DeserializeOwned>(
        &self,
        operation: &Operation<I, O>,
        names: &[&str],
        input: &I,
    ) -> Result<O, Problem> {
        let declared = operation.declared();
        let path = declared.at(&[&[DEFAULT_TAILNET], names].concat()).unwrap();
        let io = TokioIo::new(UnixStream::connect(&self.0).await.unwrap());
        let (mut sender, connection) = http1::handshake(io).await.unwrap();
        let running = tokio::spawn(connection);
        let request = Request::builder()
            .method(declared.method.to_string().as_str())
            .uri(path)
            .header(header::HOST, "mesh.test");
        let body = Full::new(Bytes::from(serde_json::to_vec(input).unwrap()));
        let answer = sender.send_request(request.body(body).unwrap()).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        running.abort();
        if status == StatusCode::OK {
            return Ok(serde_json::from_slice(&body).unwrap());
        }
        Err(serde_json::from_slice(&body).unwrap_or_else(|e| panic!("{e} in {status} {body:?}")))
    }

    /// A reusable key of this role.
    pub async fn key(&self, role: &str) -> String {
        let create = key::Create {
            role: role.into(),
            user: None,
            expiry_seconds: None,
            reusable: None,
            ephemeral: None,
            allow_no_access: false,
        };
        let created = self.call(&key::CREATE, &[], &create).await.unwrap().outcome;
        created.secret.unwrap().expose().to_owned()
    }
}
