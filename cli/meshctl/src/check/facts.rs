//! What the server says, asked once and by whoever needs it first.

use std::collections::BTreeSet;

use api::{
    agent::{self, Agents},
    apikey::{self, ApiKeys},
    dns::{self, Dns},
    key::{self, Access, Create, Keys},
    node::{self, Nodes},
    role::{self, Roles},
    route::{self, Routes},
    server::{self, Status},
    user::{self, Users},
};
use readiness::Verdict;
use tokio::sync::OnceCell;

use super::{inputs::Inputs, memory::Memory};
use crate::{
    probe::{
        control::{self, Way},
        tls::Trust,
    },
    talk::{self, Check, Context, Failure},
};

type Fact<T> = OnceCell<Result<T, Failure>>;

/// What a role's devices would get.
pub type RoleAccess = (String, BTreeSet<String>, Result<Access, String>);

/// Facts about one server.
pub struct Facts<'a> {
    pub context: &'a Context,
    pub inputs: &'a Inputs,
    pub trust: Trust,
    pub memory: Option<Memory>,
    status: Fact<Status>,
    dns: Fact<Dns>,
    nodes: Fact<Nodes>,
    routes: Fact<Routes>,
    keys: Fact<Keys>,
    api_keys: Fact<ApiKeys>,
    users: Fact<Users>,
    agents: Fact<Agents>,
    roles: Fact<Vec<RoleAccess>>,
    way: OnceCell<Option<Way>>,
}

macro_rules! fact {
    ($name:ident, $type:ty, $operation:expr) => {
        pub async fn $name(&self) -> Result<&$type, Verdict> {
            let read = || async { self.context.read(&$operation, &[], &()).await };
            self.$name.get_or_init(read).await.as_ref().map_err(unanswered)
        }
    };
}

impl<'a> Facts<'a> {
    /// Nothing is asked yet.
    pub fn new(context: &'a Context, inputs: &'a Inputs) -> Result<Self, Failure> {
        Ok(Self {
            context,
            inputs,
            trust: inputs.trust()?,
            memory: inputs.expect.as_deref().map(Memory::load).transpose()?,
            status: OnceCell::new(),
            dns: OnceCell::new(),
            nodes: OnceCell::new(),
            routes: OnceCell::new(),
            keys: OnceCell::new(),
            api_keys: OnceCell::new(),
            users: OnceCell::new(),
            agents: OnceCell::new(),
            roles: OnceCell::new(),
            way: OnceCell::new(),
        })
    }

    fact!(dns, Dns, dns::SHOW);
    fact!(nodes, Nodes, node::LIST);
    fact!(routes, Routes, route::LIST);
    fact!(keys, Keys, key::LIST);
    fact!(api_keys, ApiKeys, apikey::LIST);
    fact!(users, Users, user::LIST);
    fact!(agents, Agents, agent::LIST);

    /// How the server is, or why that cannot be asked.
    pub async fn answer(&self) -> &Result<Status, Failure> {
        let read = || async { self.context.read(&server::STATUS, &[], &()).await };
        self.status.get_or_init(read).await
    }
    /// How the server is.
    pub async fn status(&self) -> Result<&Status, Verdict> {
        self.answer().await.as_ref().map_err(unanswered)
    }
    /// What the policy gives to each role.
    pub async fn roles(&self) -> Result<&Vec<RoleAccess>, Verdict> {
        let read = || async {
            let roles: Roles = self.context.read(&role::LIST, &[], &()).await?;
            let mut found = Vec::new();
            for role in roles.roles {
                let tags = role.tags.iter().map(ToString::to_string).collect();
                found.push((role.name.clone(), tags, self.access(&role.name).await));
            }
            Ok(found)
        };
        self.roles.get_or_init(read).await.as_ref().map_err(unanswered)
    }
    /// The URL that clients use.
    pub async fn url(&self) -> Option<String> {
        if let Some(url) = &self.inputs.url {
            return Some(url.trim_end_matches('/').to_owned());
        }
        if let Ok(status) = self.answer().await {
            return Some(status.server_url.clone());
        }
        match &self.context.target()?.way {
            talk::Way::Url { url, .. } => Some(url.clone()),
            talk::Way::Socket(_) => None,
        }
    }
    /// A client's way to the server, gone once.
    pub async fn way(&self) -> Option<&Way> {
        let go = || async {
            let url = self.url().await?;
            Some(control::go(&url, &self.trust).await)
        };
        self.way.get_or_init(go).await.as_ref()
    }

    /// What a key of this role would give; nothing is made.
    async fn access(&self, role: &str) -> Result<Access, String> {
        let wish = Create {
            role: role.to_owned(),
            user: None,
            expiry_seconds: None,
            reusable: None,
            ephemeral: None,
            allow_no_access: true,
        };
        let made = self.context.write(&key::CREATE, &[], &wish, Check { check: true }).await;
        made.map(|made| made.outcome.access).map_err(|e| e.detail)
    }
}

fn unanswered(e: &Failure) -> Verdict {
    Verdict::unknown(format!("the server was not asked: {}", e.detail))
}
