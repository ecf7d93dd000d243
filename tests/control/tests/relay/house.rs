//! A relay behind real TCP and TLS on loopback, wired as a listener does it.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use axum::{Router, extract::ConnectInfo};
use control::relay::{Admission, Relay, Sniffed, certificate, routes, sniff};
use hyper_util::{rt::TokioExecutor, rt::TokioIo, server::conn::auto, service::TowerToHyperService};
use ident::{NodeKey, Secret};
use rustls::{ClientConfig, RootCertStore, ServerConfig, pki_types::CertificateDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub type ClientTls = client::TlsStream<TcpStream>;

/// The keys that may use the relay.
#[derive(Default)]
pub struct Guests(Mutex<BTreeSet<NodeKey>>);

impl Guests {
    pub fn invite(&self, key: NodeKey) {
        self.0.lock().unwrap().insert(key);
    }
    pub fn expel(&self, key: &NodeKey) {
        self.0.lock().unwrap().remove(key);
    }
}

impl Admission for Guests {
    fn admits(&self, key: &NodeKey) -> bool {
        self.0.lock().unwrap().contains(key)
    }
}

/// One running relay; everything of it ends when this is dropped.
pub struct House {
    pub relay: Arc<Relay>,
    pub guests: Arc<Guests>,
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    stop: CancellationToken,
    _data_dir: tempfile::TempDir,
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub async fn open() -> House {
    let data_dir = tempfile::tempdir().unwrap();
    let own = certificate::load_or_create(data_dir.path(), &["localhost".to_owned()]).unwrap();
    let guests = Arc::new(Guests::default());
    let relay = Relay::new(Secret::new([0x42; 32]), Arc::clone(&guests) as Arc<dyn Admission>);
    let names = [("derp.example.net".to_owned(), vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))])];
    let router = routes(Arc::clone(&relay), names.into());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let house = House {
        relay: Arc::clone(&relay),
        guests,
        address: listener.local_addr().unwrap(),
        certificate: own.cert_der.clone(),
        stop: CancellationToken::new(),
        _data_dir: data_dir,
    };
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert_der], own.key_der)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    tokio::spawn(house.stop.clone().run_until_cancelled_owned(accept(listener, acceptor, router, relay)));
    house
}

impl House {
    /// A TLS connection that accepts the relay's own certificate and no other.
    pub async fn dial(&self) -> ClientTls {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tcp = TcpStream::connect(self.address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let name = "localhost".try_into().unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, router: Router, relay: Arc<Relay>) {
    let tasks = TaskTracker::new();
    while let Ok((tcp, remote)) = listener.accept().await {
        tcp.set_nodelay(true).unwrap();
        let (acceptor, router, relay) = (acceptor.clone(), router.clone(), Arc::clone(&relay));
        tasks.spawn(async move {
            let Ok(tls) = acceptor.accept(tcp).await else { return };
            serve(tls, remote, router, relay).await;
        });
    }
}

async fn serve(tls: server::TlsStream<TcpStream>, remote: SocketAddr, router: Router, relay: Arc<Relay>) {
    match sniff(tls).await {
        Ok(Sniffed::FastStart(io)) => relay.serve_connection(io, remote).await,
        Ok(Sniffed::Http(io)) => {
            let router = router.layer(axum::Extension(ConnectInfo(remote)));
            let builder = auto::Builder::new(TokioExecutor::new());
            let service = TowerToHyperService::new(router);
            let _left = builder.serve_connection_with_upgrades(TokioIo::new(io), service).await;
        }
        Err(_) => {}
    }
}
