//! Plain HTTP on both sides of an order: what the authority asks of us (HTTP-01), and what we ask of it.

use std::{pin::Pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{OriginalUri, Path},
    response::{IntoResponse, Redirect, Response},
    routing::{any, get},
};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};

use super::{super::Shown, AcmeError};
use crate::config::AcmeConfig;

const ASK_WITHIN: Duration = Duration::from_secs(30);
const LONGEST_ANSWER: usize = 1 << 20;

/// Proofs under their tokens; everything else is at home at the server's own address.
pub(super) fn router(shown: Arc<Shown>, server_url: &str) -> Router {
    let proof = async move |Path(token): Path<String>| match shown.token(&token) {
        Some(proof) => proof.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    };
    let home = server_url.to_owned();
    let onward = async move |OriginalUri(uri): OriginalUri| -> Response {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Redirect::permanent(&format!("{home}{path}")).into_response()
    };
    Router::new().route("/.well-known/acme-challenge/{token}", get(proof)).fallback(any(onward))
}

/// Asks the authority.
pub(super) struct Client(reqwest::Client);

impl Client {
    /// Trusts the certificates of `ca_file` alone if there is one, and else what the system trusts.
    pub(super) fn new(config: &AcmeConfig) -> Result<Self, AcmeError> {
        let wrong = |e: reqwest::Error| AcmeError::Client(e.without_url().to_string());
        let mut builder = reqwest::Client::builder().timeout(ASK_WITHIN).https_only(true);
        if let Some(file) = &config.ca_file {
            let unreadable = |e| AcmeError::Client(format!("{}: {e}", file.display()));
            let pem = std::fs::read(file).map_err(|e| unreadable(e.to_string()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(wrong)?;
            if certificates.is_empty() {
                return Err(unreadable("no certificate in it".into()));
            }
            builder = builder.tls_certs_only(certificates);
        }
        Ok(Self(builder.build().map_err(wrong)?))
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.0.clone();
        Box::pin(async move { ask(client, request).await.map_err(|e| Error::Other(e.into())) })
    }
}

async fn ask(client: reqwest::Client, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, String> {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await;
    let url = parts.uri.to_string();
    let request = client.request(parts.method, &url).headers(parts.headers).body(body.to_bytes());
    let mut answer = request.send().await.map_err(|e| causes(&e))?;
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| causes(&e))? {
        if bytes.len() + chunk.len() > LONGEST_ANSWER {
            return Err(format!("{url} answers more than 1 MiB"));
        }
        bytes.extend_from_slice(&chunk);
    }
    let (parts, _) = http::Response::<reqwest::Body>::from(answer).into_parts();
    Ok(http::Response::from_parts(parts, Full::new(Bytes::from(bytes))).into())
}

/// What went wrong, down to its cause.
fn causes(e: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(e.source(), |e| e.source());
    causes.fold(e.to_string(), |text, cause| format!("{text}: {cause}"))
}
