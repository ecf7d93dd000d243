//! One emulated machine and what it says to the server.

use anyhow::{Result, ensure};
use harness::{Client, Identity, MapStream, Server};
use jiff::Timestamp;
use wire::{MapRequest, RegisterRequest};

use super::Arrival;
use crate::{
    listener::{Part, Shared},
    mark::Mark,
    target::Pass,
    topology::Topology,
};

/// What a device that will stall takes before it reads: little, so that the server feels it soon.
const NARROW_BYTES: u32 = 4 << 10;

/// Its keys and its name.
pub struct Device {
    pub number: usize,
    pub hostname: String,
    pub identity: Identity,
}

impl Device {
    pub fn new(number: usize, topology: Topology) -> Result<Self> {
        let routes = topology.routes(topology.kind(number));
        let identity = Identity { routes, ..Identity::seeded(number as u64)? };
        Ok(Self { number, hostname: format!("swarm-{number}"), identity })
    }

    /// Registers with this pass, over a connection of its own.
    pub async fn register(&self, server: &Server, pass: &Pass, ephemeral: bool) -> Result<()> {
        let client = Client::connect(server, &self.identity.machine).await?;
        let answer = match pass {
            Pass::Key(key) => {
                client.register(&self.identity.register_request(Some(key.expose()), &self.hostname)).await?
            }
            Pass::Person(admin, login) => {
                let request = self.identity.register_request(None, &self.hostname);
                let request = RegisterRequest { ephemeral, ..request };
                let page = client.register(&request).await?.auth_url;
                admin.welcome(login).await?;
                admin.let_in(&page, login).await?;
                client.register(&RegisterRequest { followup: page, ..request }).await?
            }
        };
        ensure!(answer.error.is_empty() && answer.machine_authorized, "refused: {}", answer.error);
        Ok(())
    }

    /// Connects and opens the stream.
    pub async fn open(
        &self,
        server: &Server,
        shared: &Shared,
        arrival: Arrival,
    ) -> Result<(Client, MapStream)> {
        let client = if shared.part(self.number) == Part::Stalls {
            Client::connect_narrow(server, &self.identity.machine, NARROW_BYTES).await?
        } else {
            Client::connect(server, &self.identity.machine).await?
        };
        let mark = match arrival {
            Arrival::Quiet => Some(shared.ledger.current(self.number)?),
            Arrival::Counted => Some(shared.ledger.change(self.number)?),
            Arrival::Again => None,
        };
        if let Some(mark) = mark {
            client.lite_update(&self.report(mark)?).await?;
        }
        let stream = client.stream(&self.identity.stream_request(&self.hostname)).await?;
        Ok((client, stream))
    }

    /// A report of the endpoint with this mark.
    pub fn report(&self, mark: Mark) -> Result<MapRequest> {
        Ok(self.identity.report(&self.hostname, &[&mark.endpoint()?.to_string()], 900))
    }

    /// Logs out, which removes an ephemeral device.
    pub async fn log_out(&self, client: &Client) -> Result<()> {
        let request = self.identity.register_request(None, &self.hostname);
        let request = RegisterRequest { expiry: Some(Timestamp::UNIX_EPOCH), ..request };
        client.register(&request).await.map(drop)
    }
}
