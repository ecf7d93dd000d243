//! The model client against a server of a few lines, over loopback: every byte of Noise and HTTP/2 is real.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use harness::{Channel, Client, Identity, Server};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use ident::{MachineKey, NodeId};
use noise::{PrivateKey, Responder, error_frame};
use tokio::{io::AsyncWriteExt, net::TcpListener};
use wire::{MapRequest, MapResponse, RegisterRequest, RegisterResponse, ServerKeys, decode, encode};

/// Answers `/key` and `/ts2021`, and inside of Noise what [`answer`] says.
#[cfg(test)]
mod small {
    use super::*;
    use base64::{Engine, engine::general_purpose::STANDARD};

    type Reply = Result<Response<Full<Bytes>>, Infallible>;

    fn reply(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(body.into()));
        *response.status_mut() = status;
        response
    }

    pub async fn serve() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = PrivateKey::new([7; 32]).unwrap();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let key = key.clone();
                let outer = service_fn(move |request| outside(key.clone(), request));
                tokio::spawn(
                    http1::Builder::new().serve_connection(TokioIo::new(tcp), outer).with_upgrades(),
                );
            }
        });
        url
    }

    async fn outside(key: PrivateKey, mut request: Request<Incoming>) -> Reply {
        if request.uri().path() == "/key" {
            let keys = encode(&ServerKeys::new(key.public_key())).unwrap();
            return Ok(reply(StatusCode::OK, keys));
        }
        let initiation = STANDARD.decode(request.headers()["X-Tailscale-Handshake"].as_bytes()).unwrap();
        tokio::spawn(async move {
            let mut io = TokioIo::new(hyper::upgrade::on(&mut request).await.unwrap());
            if noise::initiation_version(&initiation) == Ok(1) {
                io.write_all(&error_frame("too old")).await.unwrap();
                return;
            }
            let accepted = Responder::accept(&key, [9; 32], &initiation).unwrap();
            io.write_all(&accepted.response).await.unwrap();
            let machine = accepted.machine;
            let inner = service_fn(move |request| inside(machine, request));
            let io = TokioIo::new(Channel::new(io, accepted.transport));
            let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(io, inner).await;
        });
        let mut switch = reply(StatusCode::SWITCHING_PROTOCOLS, "");
        let headers = switch.headers_mut();
        headers.insert(header::UPGRADE, "tailscale-control-protocol".parse().unwrap());
        headers.insert(header::CONNECTION, "upgrade".parse().unwrap());
        Ok(switch)
    }

    async fn inside(machine: MachineKey, request: Request<Incoming>) -> Reply {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Ok(match path.as_str() {
            "/machine/register" => {
                let request: RegisterRequest = decode(&body).unwrap();
                let key = request.auth.unwrap().auth_key.unwrap();
                let told = RegisterResponse::error(&format!("{machine} {}", key.expose()));
                reply(StatusCode::OK, encode(&told).unwrap())
            }
            "/machine/map" => maps(&decode(&body).unwrap()),
            _ => reply(StatusCode::NOT_FOUND, "no such call"),
        })
    }

    /// A keepalive, then a map of one removed peer; the latter as two zstd frames under one length.
    fn maps(request: &MapRequest) -> Response<Full<Bytes>> {
        if request.is_lite() {
            return reply(StatusCode::OK, "");
        }
        let pack = |json: &[u8]| match request.wants_zstd() {
            true => zstd::encode_all(json, 1).unwrap(),
            false => json.to_vec(),
        };
        let mut body = Vec::new();
        let alive = pack(&encode(&MapResponse::keep_alive()).unwrap());
        let whole = encode(&super::removal()).unwrap();
        let (head, tail) = whole.split_at(5);
        for message in [alive, [pack(head), pack(tail)].concat()] {
            body.extend_from_slice(&u32::try_from(message.len()).unwrap().to_le_bytes());
            body.extend_from_slice(&message);
        }
        reply(StatusCode::OK, body)
    }
}

fn removal() -> MapResponse {
    MapResponse { peers_removed: vec![NodeId::FIRST], ..MapResponse::default() }
}

#[tokio::test]
async fn it_speaks_the_whole_protocol() {
    let server = Server::find(&small::serve().await, None).await.unwrap();
    assert_eq!(server.key, PrivateKey::new([7; 32]).unwrap().public_key());
    let me = Identity::seeded(1).unwrap();
    let client = Client::connect(&server, &me.machine).await.unwrap();

    let told = client.register(&me.register_request(Some("k3y"), "laptop")).await.unwrap();
    assert_eq!(told.error, format!("{} k3y", me.machine_key()));

    client.lite_update(&me.report("laptop", &["192.0.2.1:41641"], 900)).await.unwrap();
    assert!(client.lite_update(&me.stream_request("laptop")).await.is_err());

    let packed = me.stream_request("laptop");
    let bare = MapRequest { compress: String::new(), ..packed.clone() };
    for request in [packed, bare] {
        let mut stream = client.stream(&request).await.unwrap();
        assert_eq!(stream.next().await.unwrap(), Some(removal()));
        assert_eq!((stream.keep_alives(), stream.next().await.unwrap()), (1, None));
    }
    assert_eq!(client.map_once(&me.stream_request("laptop")).await.unwrap(), removal());

    let answer = client.call(Method::GET, "/machine/nothing", vec![]).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn many_clients_run_at_once() {
    let server = Arc::new(Server::find(&small::serve().await, None).await.unwrap());
    let clients = (0..50).map(|n| {
        let server = server.clone();
        tokio::spawn(async move {
            let me = Identity::seeded(n).unwrap();
            let client = Client::connect(&server, &me.machine).await.unwrap();
            client.register(&me.register_request(Some("k"), "h")).await.unwrap().error
        })
    });
    let mut answers = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        answers.push(client.await.unwrap());
    }
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), 50);
}

#[tokio::test]
async fn a_refused_handshake_says_why() {
    let server = Server::find(&small::serve().await, None).await.unwrap();
    let me = Identity::random().unwrap();
    let refused = Client::connect_as(&server, &me.machine, wire::CapVer(1)).await.unwrap_err();
    assert!(format!("{refused:#}").contains("too old"), "{refused:#}");
}
