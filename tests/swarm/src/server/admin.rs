//! What has to be set up before clients can come: a policy, a role, keys.

use std::path::Path;

use anyhow::{Context, Result, bail};
use api::{DEFAULT_TAILNET, Method, Operation, Problem};
use ident::Secret;
use serde::{Serialize, de::DeserializeOwned};

const ROLE: &str = "swarm";
/// Everybody sees and reaches everybody.
const MESH: &str = r#"{
    "tagOwners": {"tag:swarm": []},
    "acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}],
}"#;

/// The admin interface of a server, over its socket.
#[derive(Clone)]
pub struct Admin {
    http: reqwest::Client,
}

impl Admin {
    pub fn open(socket: &Path) -> Result<Self> {
        Ok(Self { http: reqwest::Client::builder().unix_socket(socket).build()? })
    }

    /// Puts the policy of a mesh in force and makes the role of its devices.
    pub async fn prepare_mesh(&self) -> Result<()> {
        let policy = api::policy::Text { policy: MESH.to_owned() };
        self.call(&api::policy::SET, &[], &policy).await?;
        let tags = Some(vec!["tag:swarm".parse()?]);
        self.call(&api::role::SET, &[ROLE], &api::role::Set { tags, ..api::role::Set::default() }).await?;
        Ok(())
    }

    /// A key that lets one device in.
    pub async fn mint(&self) -> Result<Secret<String>> {
        let wanted = api::key::Create {
            role: ROLE.to_owned(),
            user: None,
            expiry_seconds: None,
            reusable: Some(false),
            ephemeral: None,
            allow_no_access: false,
        };
        let made = self.call(&api::key::CREATE, &[], &wanted).await?;
        let secret = made.outcome.secret.context("a key without its secret")?;
        Ok(Secret::new(secret.expose().to_owned()))
    }

    async fn call<I: Serialize, O: DeserializeOwned>(
        &self,
        operation: &Operation<I, O>,
        names: &[&str],
        input: &I,
    ) -> Result<O> {
        let declared = operation.declared();
        let values: Vec<_> = std::iter::once(DEFAULT_TAILNET).chain(names.iter().copied()).collect();
        let path = declared.at(&values).context("a path with other names")?;
        let url = format!("http://localhost{path}");
        let request = match declared.method {
            Method::Get => self.http.get(url),
            Method::Post => self.http.post(url),
            Method::Put => self.http.put(url),
            Method::Delete => self.http.delete(url),
        };
        let answer = request.json(input).send().await?;
        let (status, body) = (answer.status(), answer.bytes().await?);
        if !status.is_success() {
            match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => bail!("{path} answered {status}: {problem:?}"),
                Err(_) => bail!("{path} answered {status}"),
            }
        }
        serde_json::from_slice(&body).with_context(|| format!("the answer of {path}"))
    }
}
