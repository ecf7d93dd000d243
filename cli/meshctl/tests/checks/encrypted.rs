//! DNS over TLS and over HTTPS in front of a resolver, under an authority that only these tests trust.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, thread};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

const MESSAGE: &str = "application/dns-message";

/// How questions come.
#[derive(Clone, Copy)]
pub enum Way {
    Tls,
    Https,
}

impl Way {
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Https => "https",
        }
    }

    /// Passes what comes at the address on to the resolver over TCP, for as long as the program runs. The authority
    /// that vouches for this host comes back.
    pub fn front(self, at: &str, resolver: &str, host: &str) -> String {
        let (authority, mut config) = certified(host);
        if matches!(self, Self::Https) {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (listener, resolver) = (std::net::TcpListener::bind(at).unwrap(), resolver.parse().unwrap());
        listener.set_nonblocking(true).unwrap();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(self, listener, acceptor, resolver));
        });
        authority
    }
}

fn certified(host: &str) -> (String, ServerConfig) {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    let own = parameters.self_signed(&key).unwrap();
    let issuer = Issuer::new(parameters, key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(leaf.pem().as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (own.pem(), config.with_no_client_auth().with_single_cert(chain, key).unwrap())
}

async fn serve(way: Way, listener: std::net::TcpListener, acceptor: TlsAcceptor, resolver: SocketAddr) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((client, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(client) = acceptor.accept(client).await else { return };
            match way {
                Way::Tls => pass_on(client, resolver).await,
                Way::Https => answer_http(client, resolver).await,
            }
        });
    }
}

async fn pass_on(mut client: TlsStream<TcpStream>, resolver: SocketAddr) {
    let Ok(mut server) = TcpStream::connect(resolver).await else { return };
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

/// RFC 8484, by POST.
async fn answer_http(client: TlsStream<TcpStream>, resolver: SocketAddr) {
    let answer = move |request: Request<Incoming>| async move {
        let is_question = request.method() == Method::POST
            && request.uri().path() == "/dns-query"
            && request.headers().get("content-type").is_some_and(|kind| kind == MESSAGE);
        let answered = match is_question {
            true => ask(resolver, request).await.ok(),
            false => None,
        };
        let status = if answered.is_some() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        let body = Full::new(Bytes::from(answered.unwrap_or_default()));
        let response = Response::builder().status(status).header("content-type", MESSAGE);
        Ok::<_, Infallible>(response.body(body).unwrap())
    };
    let _ = http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(client), service_fn(answer))
        .await;
}

async fn ask(
    resolver: SocketAddr,
    request: Request<Incoming>,
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let question = request.into_body().collect().await?.to_bytes();
    let mut server = TcpStream::connect(resolver).await?;
    server.write_u16(question.len().try_into()?).await?;
    server.write_all(&question).await?;
    let mut answer = vec![0; server.read_u16().await?.into()];
    server.read_exact(&mut answer).await?;
    Ok(answer)
}
