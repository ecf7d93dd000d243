//! Routers that stand in for each other: one that leaves, one that falls silent, and who may answer for them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use api::{
    code,
    node::PING,
    route::{APPROVE, Choice, LIST, State},
};
use harness::{Client, Identity, Model};
use http::{Method, StatusCode};
use ident::NodeId;
use tokio::{sync::mpsc, task::JoinHandle};
use wire::PingRequest;

use crate::{
    admin::reusable,
    device::{Device, Listener, online},
    house::{House, PATIENCE, Setup, set_policy},
};

const NET: &str = "10.7.0.0/16";
const POLICY: &str = r#"{
    "tagOwners": {"tag:member": [], "tag:island": []},
    "acls": [{"action": "accept", "src": ["tag:member"], "dst": ["tag:member:*", "10.7.0.0/16:*"]}],
}"#;

/// A device that offers the network and may serve it.
struct Router {
    device: Device,
    id: NodeId,
    /// Set, it reads on and answers nothing.
    hangs: Arc<AtomicBool>,
    /// What it was asked and did not answer itself.
    unanswered: mpsc::UnboundedReceiver<PingRequest>,
    polls: JoinHandle<()>,
}

impl Router {
    async fn join(house: &House, hostname: &str) -> Self {
        let device = Device::connect(&house.at, Identity::random().unwrap(), hostname).await;
        let key = house.admin.key(&reusable()).await;
        let mut request = device.me.register_request(Some(&key), hostname);
        request.hostinfo.as_mut().unwrap().routable_ips = vec![NET.parse().unwrap()];
        assert_eq!(device.client.register(&request).await.unwrap().error, "");
        let choice = Choice { node: hostname.to_owned(), prefixes: vec![NET.parse().unwrap()] };
        assert!(house.admin.call(&APPROVE, &[], &choice).await.unwrap().changed);
        let id = device.myself().await.id;
        let hangs = Arc::new(AtomicBool::new(false));
        let (asked, unanswered) = mpsc::unbounded_channel();
        let listener = device.listen().await;
        let polls = tokio::spawn(answers(listener, device.client.clone(), hangs.clone(), asked));
        Self { device, id, hangs, unanswered, polls }
    }

    fn hangs(&self, so: bool) {
        self.hangs.store(so, Ordering::SeqCst);
    }

    /// The stream ends, and with it the connection.
    fn leaves(self) {
        self.polls.abort();
    }
}

async fn answers(
    mut listener: Listener,
    client: Client,
    hangs: Arc<AtomicBool>,
    asked: mpsc::UnboundedSender<PingRequest>,
) {
    while let Some(message) = listener.heard().await {
        let Some(question) = message.ping_request else { continue };
        match hangs.load(Ordering::SeqCst) {
            true => asked.send(question).unwrap(),
            false => assert_eq!(answer(&client, &question).await, StatusCode::OK),
        }
    }
}

async fn answer(client: &Client, question: &PingRequest) -> StatusCode {
    assert!(question.url_is_noise && question.types == "c2n", "{question:?}");
    assert!(question.payload.starts_with(b"GET /echo HTTP/1.1\r\n"), "{question:?}");
    let path = question.url.strip_prefix("https://unused").unwrap();
    let body = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec();
    client.call(Method::POST, path, body).await.unwrap().status()
}

/// Whether the network is reached by this router alone.
fn by(model: &Model, router: NodeId) -> bool {
    let has = |p: &&wire::Node| p.allowed_ips.iter().any(|net| net.to_string() == NET);
    model.peers().values().filter(has).map(|p| p.id).eq([router])
}

async fn states(house: &House) -> Vec<State> {
    house.admin.call(&LIST, &[], &()).await.unwrap().routes.iter().map(|r| r.state).collect()
}

async fn house() -> House {
    let house = House::open_with(Setup { leaving_grace: "10s", ..Setup::default() }).await;
    set_policy(&house.admin, POLICY).await;
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_router_leaves_the_other_serves_before_anybody_calls_it_offline() {
    let house = house().await;
    let viewer = house.member("viewer").await;
    let (first, second) = (Router::join(&house, "r1").await, Router::join(&house, "r2").await);
    let mut view = viewer.listen().await;
    view.until("the first router", |m| by(m, first.id)).await;
    assert_eq!(states(&house).await, [State::Serving, State::Standby]);

    let (left, id) = (Instant::now(), first.id);
    first.leaves();
    view.until("the second router", |m| by(m, second.id)).await;
    let took = left.elapsed();
    println!("a router left: the other served after {} ms", took.as_millis());
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(online(&view.go, id), "it may come back at once");
    view.agrees_with(&viewer).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_hangs_gives_way_and_takes_nothing_back() {
    let house = house().await;
    let viewer = house.member("viewer").await;
    let (first, mut second) = (Router::join(&house, "r1").await, Router::join(&house, "r2").await);
    let mut view = viewer.listen().await;
    view.until("the first router", |m| by(m, first.id)).await;

    first.hangs(true);
    let hung = Instant::now();
    view.until("the second router", |m| by(m, second.id)).await;
    println!("a router hung: the other served after {:.1} s", hung.elapsed().as_secs_f64());
    assert_eq!(states(&house).await, [State::Silent, State::Serving]);
    assert!(online(&view.go, first.id));

    first.hangs(false);
    let standby = async {
        while states(&house).await != [State::Standby, State::Serving] {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, standby).await.expect("it answers again");
    assert!(by(&view.go, second.id));
    view.agrees_with(&viewer).await;
    assert!(second.unanswered.try_recv().is_err());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_not_asked_answers_for_nobody() {
    let house = house().await;
    let (mut router, other) = (Router::join(&house, "r1").await, house.member("other").await);
    let quick = house.admin.call(&PING, &["r1"], &()).await.unwrap();
    assert_eq!((quick.id, quick.name.as_str()), (router.id, "r1"));

    router.hangs(true);
    let admin = house.admin.clone();
    let waiting = tokio::spawn(async move { admin.call(&PING, &["r1"], &()).await });
    let question = router.unanswered.recv().await.unwrap();
    assert_eq!(answer(&other.client, &question).await, StatusCode::NOT_FOUND, "another machine");
    let forged =
        PingRequest { url: format!("https://unused/machine/answer/{}", "0".repeat(32)), ..question.clone() };
    assert_eq!(answer(&router.device.client, &forged).await, StatusCode::NOT_FOUND, "another question");
    assert!(!waiting.is_finished());
    assert_eq!(answer(&router.device.client, &question).await, StatusCode::OK);
    assert_eq!(waiting.await.unwrap().unwrap().id, router.id);
    assert_eq!(answer(&router.device.client, &question).await, StatusCode::NOT_FOUND, "once only");

    let late = house.admin.call(&PING, &["r1"], &()).await.unwrap_err();
    assert_eq!((late.code.as_str(), late.status), (code::NO_ANSWER, 504));
    let absent = house.admin.call(&PING, &["other"], &()).await.unwrap_err();
    assert_eq!((absent.code.as_str(), absent.status), (code::NOT_CONNECTED, 409));
    let nobody = house.admin.call(&PING, &["nobody"], &()).await.unwrap_err();
    assert_eq!((nobody.code.as_str(), nobody.status), (code::NOT_FOUND, 404));
    house.close().await;
}

/// Questions cost something at every client, so only those are asked from whose answer something follows.
#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_nobody_could_replace_is_not_asked() {
    let house = house().await;
    let mut router = Router::join(&house, "r1").await;
    router.hangs(true);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(router.unanswered.try_recv().is_err());
    assert_eq!(states(&house).await, [State::Serving]);
    house.close().await;
}
