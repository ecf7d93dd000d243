//! Reads over headscale's interface, which our server and headscale both serve: one after the other, and all at once.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use ident::Secret;
use reqwest::Client;
use tokio::{sync::Barrier, task::JoinSet};

use crate::{
    report::histogram::{Histogram, Quantiles},
    server::Admin,
};

const LIST: &str = "/api/v1/node";
/// Loopback addresses that readers come from.
const SOURCES: u8 = 16;
/// Reads before those that count.
const WARM: usize = 3;

/// Somebody with an API key.
pub struct Reader {
    /// One for each address to come from; every read is a connection of its own.
    http: Vec<Client>,
    url: String,
    key: Secret<String>,
}

impl Reader {
    /// With the key in this file.
    pub fn with_file(url: &str, file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        Self::new(url, Secret::new(text.trim().to_owned()))
    }

    /// With a key that is made for it.
    pub async fn minted(url: &str, admin: &Admin) -> Result<Self> {
        Self::new(url, admin.api_key().await?)
    }

    fn new(url: &str, key: Secret<String>) -> Result<Self> {
        let client = |n| {
            let from = IpAddr::V4(Ipv4Addr::new(127, 0, 2, n));
            Client::builder().local_address(from).pool_max_idle_per_host(0).build()
        };
        let http = (1..=SOURCES).map(client).collect::<Result<_, _>>()?;
        Ok(Self { http, url: url.to_owned(), key })
    }

    /// Lists all devices so often, one list after the other, so many of which do not count yet.
    pub async fn warm(&self, nodes: usize) -> Result<()> {
        self.one_by_one(WARM, nodes).await.map(drop)
    }

    /// Lists all devices so often, one list after the other.
    pub async fn one_by_one(&self, times: usize, nodes: usize) -> Result<Quantiles> {
        let took = Histogram::new();
        for n in 0..times {
            let begun = Instant::now();
            self.list(n, nodes).await?;
            took.record(begun.elapsed());
        }
        Ok(took.quantiles())
    }

    /// The same, all at once.
    pub async fn at_once(self: &Arc<Self>, times: usize, nodes: usize) -> Result<Quantiles> {
        let (took, ready) = (Arc::new(Histogram::new()), Arc::new(Barrier::new(times)));
        let mut reads = JoinSet::new();
        for n in 0..times {
            let (reader, took, ready) = (self.clone(), took.clone(), ready.clone());
            reads.spawn(async move {
                ready.wait().await;
                let begun = Instant::now();
                reader.list(n, nodes).await?;
                took.record(begun.elapsed());
                anyhow::Ok(())
            });
        }
        while let Some(read) = reads.join_next().await {
            read??;
        }
        Ok(took.quantiles())
    }

    /// Every device must be in it.
    async fn list(&self, n: usize, nodes: usize) -> Result<()> {
        let http = self.http.get(n % self.http.len()).context("a reader")?;
        let request = http.get(format!("{}{LIST}", self.url)).bearer_auth(self.key.expose());
        let answer = request.send().await?;
        let (status, body) = (answer.status(), answer.bytes().await?);
        ensure!(status.is_success(), "{LIST} answered {status}");
        let told = body.windows(KEY.len()).filter(|at| *at == KEY).count();
        ensure!(told == nodes, "{LIST} told {told} devices of {nodes}");
        Ok(())
    }
}

/// What every device has once in a list.
const KEY: &[u8] = b"\"machineKey\"";
