//! The control server as a relay meets it: one question, with a time limit, and what was answered.

use std::{net::IpAddr, time::Duration};

use ident::NodeKey;
use reqwest::{Client, Response, redirect};

use super::{Fault, config::VerifyConfig};
use crate::verify::{Answer, Question};

/// For a question with its answer.
pub(super) const WITHIN: Duration = Duration::from_secs(5);
const ANSWER_BYTES: usize = 4096;
/// Less than a server keeps a connection on which nobody proves anything.
const IDLE: Duration = Duration::from_secs(20);

/// Why there is no answer, in a few words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unanswered(pub(super) String);

/// Whom to ask.
#[derive(Debug)]
pub(super) struct Control {
    client: Client,
    url: String,
}

impl Control {
    pub(super) fn new(config: &VerifyConfig) -> Result<Self, Fault> {
        let wrong = |e: reqwest::Error| Fault::Control(e.without_url().to_string());
        // An answer is asked of this server and of no other.
        let mut builder = Client::builder().redirect(redirect::Policy::none()).pool_idle_timeout(IDLE);
        if let Some(file) = &config.ca_file {
            let unreadable = |e: String| Fault::Control(format!("{}: {e}", file.display()));
            let pem = std::fs::read(file).map_err(|e| unreadable(e.to_string()))?;
            let certificates =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| unreadable(e.to_string()))?;
            if certificates.is_empty() {
                return Err(unreadable("no certificate in it".into()));
            }
            builder = builder.tls_certs_only(certificates);
        }
        Ok(Self { client: builder.build().map_err(wrong)?, url: config.url.clone() })
    }

    /// Whether this key may use the relay. Takes as long as it takes.
    pub(super) async fn ask(&self, key: &NodeKey, source: IpAddr) -> Result<bool, Unanswered> {
        let question = Question { node_public: key.to_string(), source: source.to_string() };
        let send = || self.client.post(&self.url).json(&question).send();
        let response = match send().await {
            // It closed a connection that was kept, just as the question went out on it.
            Err(e) if e.is_request() && !e.is_connect() && !e.is_timeout() => send().await,
            response => response,
        };
        answer(response.map_err(|e| Unanswered(cause(&e)))?).await
    }
}

async fn answer(mut response: Response) -> Result<bool, Unanswered> {
    let status = response.status();
    if status != reqwest::StatusCode::OK {
        return Err(Unanswered(format!("it answers with {status}")));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| Unanswered(cause(&e)))? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err(Unanswered("it answers with too much".into()));
        }
        body.extend_from_slice(&chunk);
    }
    let said = serde_json::from_slice::<Answer>(&body);
    said.map(|answer| answer.allow)
        .map_err(|_| Unanswered("it answers with something else than Allow".into()))
}

/// The innermost reason, which is the one that helps.
fn cause(e: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = e;
    while let Some(source) = inner.source() {
        inner = source;
    }
    wire::plain(&inner.to_string())
}
