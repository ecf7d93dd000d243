//! What 5,000 bad credentials a second do to those who bring good ones: `cargo bench -p control-tests --bench flood`.
//! Prints half and 99 of 100 calls of a good key, alone and under the flood; the aim is at most twice as long.
//! Server, good callers and flood have a runtime each, so that nobody waits in another's queue but in the server's own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of this is measuring code"
)]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use api::{apikey, node};
use control::{
    Server,
    config::{AdminFile, File, Flags, RelayFile, resolve},
};
use control_tests::{address::free_address, admin::Admin};
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::interval};

const ROUND: Duration = Duration::from_secs(10);
const GOOD_CALLERS: usize = 4;
const BAD_CALLERS: usize = 20;
/// Of each bad caller: 250 a second.
const BAD_EVERY: Duration = Duration::from_millis(4);

type Sender = SendRequest<Empty<bytes::Bytes>>;

async fn connect(at: SocketAddr) -> Sender {
    let stream = TcpStream::connect(at).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn ask(sender: &mut Sender, key: &str) -> u16 {
    let path = node::LIST.declared().at(&["default"]).unwrap();
    let request = Request::get(path).header("host", "x").header("authorization", format!("Bearer {key}"));
    let answer = sender.send_request(request.body(Empty::new()).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    answer.into_body().collect().await.unwrap();
    status
}

/// How long calls of a good key took, sorted; a hundred a second of each caller.
async fn good(at: SocketAddr, key: &str) -> Vec<Duration> {
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..GOOD_CALLERS {
        let (mut sender, key) = (connect(at).await, key.to_owned());
        callers.spawn(async move {
            let (begun, mut ticks) = (Instant::now(), interval(Duration::from_millis(25)));
            let mut took = Vec::new();
            while begun.elapsed() < ROUND {
                ticks.tick().await;
                let asked = Instant::now();
                assert_eq!(ask(&mut sender, &key).await, 200);
                took.push(asked.elapsed());
            }
            took
        });
    }
    let mut all = callers.join_all().await.concat();
    all.sort();
    all
}

async fn flood(at: SocketAddr, sent: Arc<AtomicU64>, stop: Arc<AtomicBool>) {
    let mut sender = connect(at).await;
    let key = format!("mk-api-1-{}", "A".repeat(43));
    let mut ticks = interval(BAD_EVERY);
    while !stop.load(Relaxed) {
        ticks.tick().await;
        let status = ask(&mut sender, &key).await;
        assert!(status == 401 || status == 429);
        sent.fetch_add(1, Relaxed);
    }
}

fn tell(what: &str, took: &[Duration]) -> f64 {
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!("{what}: {} calls, half within {:?}, 99 of 100 within {:?}", took.len(), at(0.5), at(0.99));
    at(0.99).as_secs_f64()
}

/// What this side does, on a thread of its own.
fn apart<T: Send>(work: impl Future<Output = T> + Send) -> T {
    let one_thread = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    thread::scope(|scope| scope.spawn(|| one_thread().block_on(work)).join().unwrap())
}

async fn all_bad(at: SocketAddr, sent: &Arc<AtomicU64>, stop: &Arc<AtomicBool>) {
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..BAD_CALLERS {
        callers.spawn(flood(at, sent.clone(), stop.clone()));
    }
    callers.join_all().await;
}

fn measure(at: SocketAddr, key: &str) {
    let alone = tell("alone", &apart(good(at, key)));
    let (sent, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let flooded = thread::scope(|scope| {
        scope.spawn(|| apart(all_bad(at, &sent, &stop)));
        let took = apart(good(at, key));
        stop.store(true, Relaxed);
        took
    });
    let flooded = tell("under the flood", &flooded);
    println!("bad credentials: {} a second", sent.load(Relaxed) / ROUND.as_secs());
    println!("99 of 100 calls took {:.2} times as long", flooded / alone);
}

#[tokio::main]
async fn main() {
    let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
    let file = File {
        listen: Some(address.to_string()),
        data_dir: Some(folder.path().to_owned()),
        relay: Some(RelayFile { enabled: Some(false), ..RelayFile::default() }),
        admin: Some(AdminFile { listen: Some("off".into()), ..AdminFile::default() }),
        ..File::default()
    };
    let server = Server::start(resolve(&file, &Flags::default()).unwrap()).await.unwrap();
    let admin = Admin::local(server.ready().socket.clone());
    let created = admin.call(&apikey::CREATE, &[], &apikey::Create::default()).await.unwrap().outcome;
    let key = created.secret.unwrap().expose().to_owned();
    tokio::task::spawn_blocking(move || measure(address, &key)).await.unwrap();
    server.stop().await;
}
