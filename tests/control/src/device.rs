//! A device with its connection, and what it holds of the mesh while it listens.

use std::time::Duration;

use harness::{Client, Family, Identity, MapStream, Model, Refused, Server, View};
use http::StatusCode;
use ident::NodeId;
use tokio::time::{Instant, timeout, timeout_at};
use wire::{MapRequest, MapResponse, Node, RegisterResponse};

use crate::patience::PATIENCE;

#[derive(Debug, Clone)]
pub struct Device {
    pub me: Identity,
    pub hostname: String,
    pub client: Client,
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

    pub async fn register(&self, key: Option<&str>) -> RegisterResponse {
        self.client.register(&self.me.register_request(key, &self.hostname)).await.unwrap()
    }

    /// Says that it leaves.
    pub async fn log_out(&self) {
        let mut request = self.me.register_request(None, &self.hostname);
        request.expiry = Some("1970-01-01T00:02:03Z".parse().unwrap());
        let answer = self.client.register(&request).await.unwrap();
        assert!(answer.node_key_expired && answer.error.is_empty(), "{answer:?}");
    }

    pub fn request(&self) -> MapRequest {
        self.me.stream_request(&self.hostname)
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
        Listener::open(&self.client, &self.request()).await
    }

    /// Listens to bare JSON.
    pub async fn listen_plain(&self) -> Listener {
        Listener::open(&self.client, &MapRequest { compress: String::new(), ..self.request() }).await
    }
}

/// A long poll, folded the way of both families.
#[derive(Debug)]
pub struct Listener {
    stream: MapStream,
    pub go: Model,
    pub rust: Model,
}

impl Listener {
    pub async fn open(client: &Client, request: &MapRequest) -> Self {
        let stream = timeout(PATIENCE, client.stream(request)).await.expect("no headers").unwrap();
        let mut listener = Self { stream, go: Model::new(Family::Go), rust: Model::new(Family::Rust) };
        assert!(listener.hear(Instant::now() + PATIENCE).await, "no first map");
        listener
    }

    /// Folds the next message in; false when the stream has ended. Panics when nothing comes.
    async fn hear(&mut self, by: Instant) -> bool {
        let message = timeout_at(by, self.stream.next()).await.expect("no message came");
        let Ok(Some(message)) = message else { return false };
        self.fold(message);
        true
    }

    /// The next message, folded in.
    pub async fn next(&mut self) -> MapResponse {
        let message = timeout(PATIENCE, self.stream.next()).await.expect("no message came").unwrap();
        let message = message.expect("the stream ended");
        self.fold(message.clone());
        message
    }

    /// The next message, however long it takes; none when the stream has ended.
    pub async fn heard(&mut self) -> Option<MapResponse> {
        let message = self.stream.next().await.ok().flatten()?;
        self.fold(message.clone());
        Some(message)
    }

    fn fold(&mut self, message: MapResponse) {
        self.go.fold(message.clone()).unwrap();
        self.rust.fold(message).unwrap();
        assert_eq!((self.go.strays(), self.rust.strays()), (0, 0), "told of changes to strangers");
    }

    /// Listens until both models say so.
    pub async fn until(&mut self, what: &str, so: impl Fn(&Model) -> bool) {
        let by = Instant::now() + PATIENCE;
        while !(so(&self.go) && so(&self.rust)) {
            let heard = timeout_at(by, self.stream.next()).await;
            let heard = heard.unwrap_or_else(|_| panic!("never came: {what}; peers {:#?}", self.go.peers()));
            let message = heard.unwrap_or_else(|e| panic!("{e:#} while waiting for: {what}"));
            self.fold(message.unwrap_or_else(|| panic!("the stream ended while waiting for: {what}")));
        }
    }

    /// Listens that long; nothing but keepalives may come.
    pub async fn is_silent_for(&mut self, long: Duration) {
        if let Ok(message) = timeout(long, self.stream.next()).await {
            panic!("{message:?}");
        }
    }

    /// Listens that long to whatever comes; `so` must hold all the time.
    pub async fn holds_for(&mut self, long: Duration, so: impl Fn(&Model) -> bool) {
        let by = Instant::now() + long;
        assert!(so(&self.go) && so(&self.rust));
        while let Ok(message) = timeout_at(by, self.stream.next()).await {
            self.fold(message.unwrap().expect("the stream ended"));
            assert!(so(&self.go) && so(&self.rust), "{:#?}", self.go.peers());
        }
    }

    /// Waits for the end of the stream.
    pub async fn ends(&mut self) {
        let by = Instant::now() + PATIENCE;
        while self.hear(by).await {}
    }

    /// Waits until both models hold exactly what a fresh full map says.
    pub async fn agrees_with(&mut self, device: &Device) {
        let by = Instant::now() + PATIENCE;
        loop {
            let fresh = device.map().await;
            let [go, rust] = [Family::Go, Family::Rust].map(|family| {
                let mut model = Model::new(family);
                model.fold(fresh.clone()).unwrap();
                model.view()
            });
            assert_eq!(go.nameless(), []);
            if (self.go.view(), self.rust.view()) == (go.clone(), rust.clone()) {
                return;
            }
            if Instant::now() > by {
                let differs = [difference(&self.go.view(), &go), difference(&self.rust.view(), &rust)];
                panic!("what is held (-) is not what a fresh map says (+):\n{}", differs.join("\n"));
            }
            if let Ok(message) = timeout(Duration::from_millis(200), self.stream.next()).await {
                self.fold(message.unwrap().expect("the stream ended"));
            }
        }
    }
}

/// The lines in which the two are not the same.
fn difference(held: &View, fresh: &View) -> String {
    let (held, fresh) = (format!("{held:#?}"), format!("{fresh:#?}"));
    let only = |sign: char, these: &str, those: &str| {
        let lines = these.lines().filter(|line| !those.contains(*line));
        lines.map(|line| format!("{sign}{line}\n")).collect::<String>()
    };
    only('-', &held, &fresh) + &only('+', &fresh, &held)
}

/// Whether the model has this peer, online.
pub fn online(model: &Model, id: NodeId) -> bool {
    model.peer(id).and_then(|p| p.online) == Some(true)
}

/// The status of a call that was not answered with 200.
pub fn status<T: std::fmt::Debug>(answer: anyhow::Result<T>) -> (StatusCode, String) {
    let error = answer.unwrap_err();
    let Refused { status, text } = error.downcast_ref::<Refused>().unwrap_or_else(|| panic!("{error:#}"));
    (*status, text.clone())
}
