//! The order of a start: folder, lock, keys, database, World, writer, relay, listeners.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::Arc};

use arc_swap::ArcSwap;
use axum::Router;
use ident::{NodeKey, Secret};
use jiff::{SignedDuration, Timestamp};
use netmap::Site;
use rustls::ServerConfig;
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use world::Command;

use super::{
    Fault, Ready, Server, addresses,
    certificates::Certificates,
    reload::{Reloader, Source, face},
};
use crate::{
    admin, agent,
    backup::lockfile::{self, LockFile},
    calls::{self, Calls},
    certificate::Certificate,
    config::{Config, MonitorConfig, Proxies, RelayConfig},
    doors::{Doors, LiveConfig},
    fanout::Hub,
    files,
    keyring::{Keyring, first_start, random, write_uses},
    listen::{self, Face, Listener},
    login::Lobby,
    machine, monitor,
    pending::Pending,
    quota::Quota,
    records::{self, RecordsFile},
    relay::{self, Admission, Relay},
    reports::Reports,
    revoked, site,
    store::{Loaded, Store},
    timers, ts2021,
    verdict::{self, Verdict},
    verify,
    writer::{Origin, Running, Writer},
};

/// How long nodes that were connected before a restart may take to come back unnoticed: three times the longest
/// back-off of a client.
const RETURN_WITHIN: SignedDuration = SignedDuration::from_secs(90);
/// Connections that have proved nothing yet, to all listeners: in all, and from one household.
const STRANGERS: usize = 4096;
const STRANGERS_EACH: usize = 64;
/// Wishes for a reload that wait for another one to end.
const RELOADS: usize = 4;
/// Connections to the listener of metrics and health.
const SCRAPERS: usize = 64;

/// With room for as many connections as there may be open files, or for `room` if that is more.
pub(super) async fn start(mut config: Config, source: Source, room: usize) -> Result<Server, Fault> {
    let open_files = files::raise_limit().max(room);
    files::own_folder(&config.data_dir)?;
    let lock = LockFile::take(&config.data_dir)
        .map_err(Fault::io(config.data_dir.join(lockfile::NAME).display().to_string()))?;
    let lock = lock.ok_or_else(|| Fault::Locked { folder: config.data_dir.clone() })?;
    let (store, keyring) = open_store(&config.data_dir)?;
    let named = addresses::found(&config).await;
    config.settings.own_addresses.extend(named);
    let Loaded { world, were_online, policy } = store.load(config.settings.clone())?;
    let verdict = Arc::new(Verdict::new(&world, policy));
    world.check_invariants().unwrap_or_else(|law| tracing::error!(law, "the database breaks a law"));

    let certificate = Certificates::load(&config)?;
    let own = config.relay.as_ref().map(|r| site::own_region(r, certificate.relay_cert_name.clone()));
    let (derp_map, left_out) = site::derp_map(own, &config.derp_maps, &config.data_dir).await;
    left_out.iter().for_each(|e| tracing::error!(error = %e, "a DERP map is left out"));
    let hub = Hub::new(Arc::new(world), Arc::new(Site { derp_map: Arc::new(derp_map), collect_logs: false }));
    let (revoked, cut) = tokio::sync::mpsc::unbounded_channel();
    let (writer, running) =
        Writer::start(store.clone(), hub.clone(), revoked).map_err(Fault::io("the writer's thread"))?;
    expect_return(&writer, were_online).await;

    let parts = Parts::new(open_files);
    let relay = config.relay.as_ref().map(|_| relay_of(&hub, keyring.derp.clone()));
    parts.tasks.spawn(cut_revoked(relay.clone(), cut, parts.stop.clone()));
    parts.tasks.spawn(timers::run(hub.clone(), writer.clone(), parts.stop.clone()));
    parts.tasks.spawn(verdict::run(hub.clone(), verdict.clone(), parts.stop.clone()));
    let live: LiveConfig = Arc::new(ArcSwap::from_pointee(config));
    let records = Arc::new(RecordsFile::default());
    let watch = records::run(records.clone(), live.clone(), hub.clone(), writer.clone(), parts.stop.clone());
    parts.tasks.spawn(watch);
    let (reloads, wishes) = tokio::sync::mpsc::channel(RELOADS);
    let (calls, instance) = (Calls::new(hub.clone()), u64::from_le_bytes(first8(&random())));
    let routers =
        calls::watch_routers(calls.clone(), hub.clone(), writer.clone(), instance, parts.stop.clone());
    parts.tasks.spawn(routers);
    let pending = Arc::new(Pending::open(store.clone(), hub.clone())?);
    parts.tasks.spawn(pending.clone().run(parts.stop.clone()));
    let reports = Arc::new(Reports::open(store.clone(), hub.clone())?);
    parts.tasks.spawn(reports.clone().run(parts.stop.clone()));
    let monitor = monitor_socket(&live.load_full()).await?;
    let doors = Arc::new(Doors {
        limits: Default::default(),
        metrics: Default::default(),
        backups: Default::default(),
        monitor: monitor.as_ref().and_then(|socket| socket.local_addr().ok()),
        verdict,
        pending,
        reports,
        records,
        calls,
        certificate: certificate.source.clone(),
        instance,
        started: Timestamp::now(),
        security: Default::default(),
        live,
        reloads,
        hub,
        writer,
        store,
        keyring: Arc::new(keyring),
        relay,
    });
    parts.tasks.spawn(write_uses(doors.keyring.clone(), doors.store.clone(), parts.stop.clone()));
    let relay_cert_name = certificate.relay_cert_name.clone();
    let lobby = Lobby::new(&doors);
    let (base, face, main) = parts.listen(&doors, &lobby, certificate).await?;
    let reloader = Reloader { doors: doors.clone(), source, face, base, lobby, relay_cert_name };
    parts.tasks.spawn(reloader.run(wishes, parts.stop.clone()));
    parts.monitor(&doors, monitor);
    Ok(parts.server(doors, main, running, lock))
}

fn open_store(folder: &Path) -> Result<(Arc<Store>, Keyring), Fault> {
    let database = folder.join("mesh.db");
    let first = first_start(folder, &database)?;
    if first {
        Keyring::create(folder)?;
    }
    let store = Arc::new(Store::open(&database)?);
    let keyring = Keyring::open(folder, &store, first)?;
    Ok((store, keyring))
}

/// A restart announces nothing: who was online counts as online until it had time to come back.
async fn expect_return(writer: &Writer, nodes: Vec<ident::NodeId>) {
    let until = Timestamp::now().checked_add(RETURN_WITHIN).unwrap_or(Timestamp::MAX);
    if let Err(e) = writer.submit(Command::ExpectReturn { nodes, until }, Origin::system()).await {
        tracing::warn!(error = %e, "nodes that were online are announced as offline");
    }
}

struct KnownNodes(Arc<Hub>);

impl Admission for KnownNodes {
    fn admits(&self, key: &NodeKey) -> bool {
        revoked::admits(&self.0.world(), key)
    }
}

fn relay_of(hub: &Arc<Hub>, key: Secret<[u8; 32]>) -> Arc<Relay> {
    Relay::new(key, Arc::new(KnownNodes(hub.clone())))
}

async fn cut_revoked(
    relay: Option<Arc<Relay>>,
    mut keys: tokio::sync::mpsc::UnboundedReceiver<NodeKey>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            key = keys.recv() => match (&relay, key) {
                (Some(relay), Some(key)) => relay.cut(&key),
                (None, Some(_)) => {}
                (_, None) => return,
            },
        }
    }
}

/// The socket of metrics and health. Where none was configured, one that another program has is done without.
async fn monitor_socket(config: &Config) -> Result<Option<TcpListener>, Fault> {
    let Some(MonitorConfig { listen, chosen }) = config.monitor else { return Ok(None) };
    if chosen && !listen.ip().is_loopback() {
        tracing::warn!(%listen, "metrics and health are served to everybody who reaches this address");
    }
    match TcpListener::bind(listen).await {
        Ok(socket) => Ok(Some(socket)),
        Err(e) if chosen => Err(Fault::io(format!("listening on {listen} (admin.listen)"))(e)),
        Err(e) => {
            tracing::info!(%listen, error = %e, "no metrics are served; `admin.listen` says where else");
            Ok(None)
        }
    }
}

fn first8(secret: &Secret<[u8; 32]>) -> [u8; 8] {
    let mut eight = [0; 8];
    eight.copy_from_slice(&secret.expose()[..8]);
    eight
}

struct Parts {
    stop: CancellationToken,
    tasks: TaskTracker,
    open_files: usize,
    strangers: Arc<Quota>,
}

impl Parts {
    fn new(open_files: usize) -> Self {
        let strangers = Quota::new(STRANGERS.min(open_files / 8), STRANGERS_EACH);
        Self { stop: CancellationToken::new(), tasks: TaskTracker::new(), open_files, strangers }
    }

    /// What the main listener always answers, and what it is to the outside.
    async fn listen(
        &self,
        doors: &Arc<Doors>,
        lobby: &Lobby,
        certificates: Certificates,
    ) -> Result<(Router, Arc<ArcSwap<Face>>, Listener), Fault> {
        let (config, relay) = (doors.config(), doors.relay.clone());
        let machine = machine::routes(doors.clone());
        let mut base = ts2021::routes(doors.clone(), machine, self.open_files);
        base = base.merge(admin::open(doors.clone())).merge(agent::routes(doors.clone()));
        base = base.merge(verify::routes(doors.clone()));
        let shared = config.relay.as_ref().is_some_and(|r| r.listen.is_none());
        if let (Some(relay), true) = (&relay, shared) {
            base = base.merge(relay::routes(relay.clone(), BTreeMap::new()));
        }
        let face = Arc::new(ArcSwap::from_pointee(face(doors, lobby, &base, &config)));
        let fast = relay.clone().filter(|_| shared);
        let main = self.tcp(config.listen, certificates.main, face.clone(), fast).await?;
        if let (Some(relay), Some(own)) = (relay, config.relay.as_ref()) {
            self.relay(relay, own, certificates.relay).await?;
        }
        self.local(doors)?;
        self.certificate(doors).await?;
        Ok((base, face, main))
    }

    /// Has it watched or renewed.
    async fn certificate(&self, doors: &Doors) -> Result<(), Fault> {
        let acme = match &doors.certificate {
            None => return Ok(()),
            Some(Certificate::Files(files)) => {
                self.tasks.spawn(files.clone().run(self.stop.clone()));
                return Ok(());
            }
            Some(Certificate::Acme(acme)) => acme,
        };
        let config = doors.config();
        if let Some(listen) = config.acme.as_ref().and_then(|acme| acme.http_listen) {
            let face = Face {
                router: acme.router(&config.server_url),
                proxies: config.proxies.clone(),
                only_proxies: false,
            };
            self.tcp(listen, None, Arc::new(ArcSwap::from_pointee(face)), None).await?;
        }
        self.tasks.spawn(acme.clone().run(self.stop.clone()));
        Ok(())
    }

    async fn relay(
        &self,
        relay: Arc<Relay>,
        own: &RelayConfig,
        tls: Option<Arc<ServerConfig>>,
    ) -> Result<(), Fault> {
        if let Some(listen) = own.listen {
            let router = relay::routes(relay.clone(), BTreeMap::new());
            let face = Face { router, proxies: Proxies::default(), only_proxies: false };
            self.tcp(listen, tls, Arc::new(ArcSwap::from_pointee(face)), Some(relay)).await?;
        }
        if let Some(stun) = own.stun {
            let socket = UdpSocket::bind(stun).await.map_err(Fault::io(format!("STUN on {stun}")))?;
            self.tasks.spawn(relay::stun::serve(socket, self.stop.clone()));
        }
        Ok(())
    }

    async fn tcp(
        &self,
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        face: Arc<ArcSwap<Face>>,
        relay: Option<Arc<Relay>>,
    ) -> Result<Listener, Fault> {
        let socket =
            TcpListener::bind(address).await.map_err(Fault::io(format!("listening on {address}")))?;
        let listener = Listener::new(tls, face, relay, self.strangers.clone(), self.stop.clone());
        self.tasks.spawn(listener.clone().serve(socket));
        Ok(listener)
    }

    fn monitor(&self, doors: &Arc<Doors>, socket: Option<TcpListener>) {
        let Some(socket) = socket else { return };
        let routes = monitor::routes(doors.clone(), self.strangers.clone());
        let scrapers = Quota::new(SCRAPERS, SCRAPERS);
        let face = Face { router: routes, proxies: Proxies::default(), only_proxies: false };
        let face = Arc::new(ArcSwap::from_pointee(face));
        let listener = Listener::new(None, face, None, scrapers, self.stop.clone());
        self.tasks.spawn(listener.serve(socket));
    }

    fn local(&self, doors: &Arc<Doors>) -> Result<(), Fault> {
        let config = doors.config();
        let path = &config.socket;
        let socket = listen::bind_local(path).map_err(Fault::io(path.display().to_string()))?;
        let routes = admin::routes(doors.clone(), &[]);
        self.tasks.spawn(listen::serve_local(socket, routes, self.stop.clone()));
        Ok(())
    }

    fn server(self, doors: Arc<Doors>, main: Listener, writer: Running, lock: LockFile) -> Server {
        let config = doors.config();
        let ready = Ready {
            server_url: config.server_url.clone(),
            socket: config.socket.clone(),
            data_dir: config.data_dir.clone(),
        };
        Server { ready, doors, main, stop: self.stop, tasks: self.tasks, writer, _lock: lock }
    }
}
