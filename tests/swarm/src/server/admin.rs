//! What has to be set up before clients can come: a policy, a role, keys.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use api::{DEFAULT_TAILNET, Method, Operation, Problem};
use ident::Secret;
use serde::{Serialize, de::DeserializeOwned};

use crate::topology::{Phase, Topology, tag};

/// The admin interface of a server, over its socket.
#[derive(Clone)]
pub struct Admin {
    http: reqwest::Client,
}

impl Admin {
    pub fn open(socket: &Path) -> Result<Self> {
        Ok(Self { http: reqwest::Client::builder().unix_socket(socket).build()? })
    }

    /// Puts the policy of a topology in force and makes a role for each kind of its devices.
    pub async fn prepare(&self, topology: Topology) -> Result<()> {
        self.set_policy(topology.policy(Phase::Whole)).await?;
        for kind in 0..topology.kinds() {
            let tags = Some(vec![tag(kind).parse()?]);
            let set = api::role::Set { tags, ..api::role::Set::default() };
            self.call(&api::role::SET, &[&role(kind)], &set).await?;
        }
        Ok(())
    }

    pub async fn status(&self) -> Result<api::server::Status> {
        self.call(&api::server::STATUS, &[], &()).await
    }

    /// The body of a GET, which must work.
    pub async fn get(&self, path: &str) -> Result<Vec<u8>> {
        let answer = self.http.get(format!("http://localhost{path}")).send().await?;
        let (status, body) = (answer.status(), answer.bytes().await?);
        ensure!(status.is_success(), "{path} answered {status}");
        Ok(body.into())
    }

    pub async fn set_policy(&self, policy: String) -> Result<()> {
        self.call(&api::policy::SET, &[], &api::policy::Edit::of(policy).accepting()).await.map(drop)
    }

    /// A key that lets one device of this kind in.
    pub async fn mint(&self, kind: usize, ephemeral: bool) -> Result<Secret<String>> {
        let wanted = api::key::Create {
            role: role(kind),
            user: None,
            expiry_seconds: None,
            reusable: Some(false),
            ephemeral: Some(ephemeral),
            allow_no_access: true,
        };
        let made = self.call(&api::key::CREATE, &[], &wanted).await?;
        let secret = made.outcome.secret.context("a key without its secret")?;
        Ok(Secret::new(secret.expose().to_owned()))
    }

    /// A key for the admin interface, with which all of it may be read.
    pub async fn api_key(&self) -> Result<Secret<String>> {
        let scopes = Some(std::iter::once("all:read".parse()?).collect());
        let wanted = api::apikey::Create { scopes, ..api::apikey::Create::default() };
        let made = self.call(&api::apikey::CREATE, &[], &wanted).await?;
        let secret = made.outcome.secret.context("a key without its secret")?;
        Ok(Secret::new(secret.expose().to_owned()))
    }

    /// Makes sure that the person is known.
    pub async fn welcome(&self, login: &str) -> Result<()> {
        let wanted = api::user::Create { login: login.to_owned(), display_name: None };
        match self.call(&api::user::CREATE, &[], &wanted).await {
            Err(e) if !format!("{e:#}").contains("409") => Err(e),
            _ => Ok(()),
        }
    }

    /// Lets in the device that shows this page, as the person's.
    pub async fn let_in(&self, page: &str, login: &str) -> Result<()> {
        let code = page.rsplit('/').next().context("a code in the page's address")?;
        let whose = api::login::Approve { user: Some(login.to_owned()), ..api::login::Approve::default() };
        self.call(&api::login::APPROVE, &[code], &whose).await.map(drop)
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

fn role(kind: usize) -> String {
    format!("swarm-{kind}")
}
