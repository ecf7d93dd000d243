//! A device with its connection, and what it holds of the mesh while it listens.

use std::time::Duration;

use harness::{Client, Family, Identity, MapStream, Model, Server};
use ident::NodeId;
use tokio::time::timeout;
use wire::{MapRequest, MapResponse, Node, RegisterResponse};

use crate::house::soon;

#[derive(Debug, Clone)]
pub struct Device {
    me: Identity,
    hostname: String,
    client: Client,
}

impl Device {
    pub async fn connect(at: &Server, me: Identity, hostname: &str) -> Self {
        let client = Client::connect(at, &me.machine).await.unwrap();
        Self { me, hostname: hostname.to_owned(), client }
    }

    /// The same device on a fresh connection.
    pub async fn again(&self, at: &Server) -> Self {
        Self::connect(at, self.me.clone(), &self.hostname).await
    }

    pub async fn register(&self, key: &str) -> RegisterResponse {
        self.client.register(&self.me.register_request(Some(key), &self.hostname)).await.unwrap()
    }

    /// A fresh full map.
    pub async fn map(&self) -> MapResponse {
        self.client.map_once(&self.request()).await.unwrap()
    }

    /// The device itself, as its map says.
    pub async fn myself(&self) -> Node {
        *self.map().await.node.unwrap()
    }

    pub async fn report(&self, endpoints: &[&str], home: u32) {
        self.client.lite_update(&self.me.report(&self.hostname, endpoints, home)).await.unwrap();
    }

    /// Listens, bodies packed; the first map is in.
    pub async fn listen(&self) -> Listener {
        self.open(&self.request()).await
    }

    /// Listens to bare JSON.
    pub async fn listen_plain(&self) -> Listener {
        self.open(&MapRequest { compress: String::new(), ..self.request() }).await
    }

    fn request(&self) -> MapRequest {
        self.me.stream_request(&self.hostname)
    }

    async fn open(&self, request: &MapRequest) -> Listener {
        let stream = soon("the headers", self.client.stream(request)).await.unwrap();
        let mut listener = Listener { stream, model: Model::new(Family::Go) };
        assert!(listener.hears("the first map").await, "no first map");
        listener
    }
}

/// A long poll and what it has told.
#[derive(Debug)]
pub struct Listener {
    stream: MapStream,
    pub model: Model,
}

impl Listener {
    /// Folds the next message in; false when the stream has ended.
    async fn hears(&mut self, what: &str) -> bool {
        let Ok(Some(message)) = soon(what, self.stream.next()).await else { return false };
        self.model.fold(message).unwrap();
        assert_eq!(self.model.strays(), 0, "told of changes to strangers");
        true
    }

    /// Listens until the model says so.
    pub async fn until(&mut self, what: &str, so: impl Fn(&Model) -> bool) {
        while !so(&self.model) {
            assert!(self.hears(what).await, "the stream ended while waiting for: {what}");
        }
    }

    /// Listens that long; nothing but keepalives may come.
    pub async fn is_silent_for(&mut self, long: Duration) {
        if let Ok(message) = timeout(long, self.stream.next()).await {
            panic!("{message:?}");
        }
    }

    /// Waits for the end of the stream.
    pub async fn ends(&mut self) {
        while self.hears("the end of the stream").await {}
    }

    /// Waits until it holds exactly what a fresh full map says.
    pub async fn agrees_with(&mut self, device: &Device) {
        let mut fresh = Model::new(Family::Go);
        fresh.fold(device.map().await).unwrap();
        self.until(&format!("{:#?}", fresh.view()), |m| m.view() == fresh.view()).await;
    }
}

/// Whether the model has this peer, online.
pub fn online(model: &Model, id: NodeId) -> bool {
    model.peer(id).and_then(|p| p.online) == Some(true)
}
