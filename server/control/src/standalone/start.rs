//! The order of a start: folder, lock, key, certificate, sockets, relay, questions.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use arc_swap::ArcSwap;
use axum::Router;
use jiff::Timestamp;
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::mpsc,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wire::DerpMap;

use super::{Fault, Standalone, admission::Gate, config::Config, control::Control, monitor, recheck};
use crate::{
    backup::lockfile::{self, LockFile},
    certificate::{Acme, Certificate, CertificateFiles, Pair, Shown, TlsError, server_config},
    config::{MonitorConfig, Proxies},
    files, keyring,
    listen::{Face, Listener},
    quota::Quota,
    relay::{self, Relay, certificate},
    site,
};

const KEY_FILE: &str = "relay.key";
/// Connections that have proved nothing yet: in all, and from one household.
const STRANGERS: usize = 4096;
const STRANGERS_EACH: usize = 64;
/// Connections to the listener of metrics and health.
const SCRAPERS: usize = 64;

pub(super) async fn start(config: Config) -> Result<Standalone, Fault> {
    let open_files = files::raise_limit();
    files::own_folder(&config.data_dir)?;
    let lock_file = config.data_dir.join(lockfile::NAME).display().to_string();
    let lock = LockFile::take(&config.data_dir).map_err(Fault::io(lock_file))?;
    let lock = lock.ok_or_else(|| Fault::Locked { folder: config.data_dir.clone() })?;
    let key = keyring::relay_key(&config.data_dir.join(KEY_FILE))?;
    let control = config.verify.as_ref().map(Control::new).transpose()?;
    let Secured { shown, source, cert_name } = secured(&config)?;
    let sockets = Sockets::bind(&config).await?;

    let (cut, revoked) = mpsc::unbounded_channel();
    let gate = Gate::new(control, cut);
    let relay = Relay::new(key, gate.clone());
    let parts = Parts {
        stop: CancellationToken::new(),
        tasks: TaskTracker::new(),
        strangers: Quota::new(STRANGERS.min(open_files / 8), STRANGERS_EACH),
    };
    parts.tasks.spawn(recheck::cut(relay.clone(), revoked, parts.stop.clone()));
    match &config.verify {
        Some(verify) => {
            let rounds = recheck::run(gate.clone(), relay.clone(), verify.every, parts.stop.clone());
            parts.tasks.spawn(rounds);
        }
        None => tracing::warn!("EVERYBODY MAY USE THIS RELAY (allow_anyone), also those of other meshes"),
    }
    let by_tls = config.acme.as_ref().is_some_and(|acme| acme.http_listen.is_none());
    parts.relay(sockets.relay, server_config(shown.clone(), by_tls), &relay);
    if let Some(socket) = sockets.stun {
        parts.tasks.spawn(relay::stun::serve(socket, parts.stop.clone()));
    }
    parts.certificate(source.as_ref(), sockets.acme, &config.region.host);
    if let Some(socket) = sockets.monitor {
        let strangers = parts.strangers.clone();
        let looked_at =
            monitor::Parts { relay: relay.clone(), gate, shown, strangers, started: Timestamp::now() };
        let scrapers = Quota::new(SCRAPERS, SCRAPERS);
        parts.http(socket, None, monitor::routes(looked_at), None, scrapers);
    }
    let map = map_of(&config, cert_name);
    Ok(Standalone { relay, map, certificate: source, stop: parts.stop, tasks: parts.tasks, _lock: lock })
}

/// Without a lock: makes nothing and changes nothing.
pub(super) fn map(config: &Config) -> Result<Option<DerpMap>, Fault> {
    if config.tls.is_some() || config.acme.is_some() {
        return Ok(Some(map_of(config, None)));
    }
    let own = certificate::load(&config.data_dir, std::slice::from_ref(&config.region.host))?;
    Ok(own.map(|own| map_of(config, Some(own.cert_name()))))
}

fn map_of(config: &Config, cert_name: Option<String>) -> DerpMap {
    let region = site::own_region(&config.region, cert_name);
    DerpMap { regions: BTreeMap::from([(region.region_id, region)]), ..DerpMap::default() }
}

/// What the listener shows, and what clients are told to expect.
struct Secured {
    shown: Arc<Shown>,
    source: Option<Certificate>,
    cert_name: Option<String>,
}

fn secured(config: &Config) -> Result<Secured, Fault> {
    let given =
        |source: Certificate| Secured { shown: source.shown(), source: Some(source), cert_name: None };
    if let Some(acme) = config.acme.clone() {
        return Ok(given(Certificate::Acme(Acme::open(acme, &config.data_dir)?)));
    }
    if let Some(tls) = config.tls.clone() {
        files::key(&tls.key_file)?;
        return Ok(given(Certificate::Files(CertificateFiles::open(tls, files::key_is_safe)?)));
    }
    files::key(&config.data_dir.join(certificate::KEY_FILE))?;
    let own = certificate::load_or_create(&config.data_dir, std::slice::from_ref(&config.region.host))?;
    let cert_name = Some(own.cert_name());
    let pair = Pair::new(vec![own.cert_der], own.key_der).map_err(TlsError::from)?;
    Ok(Secured { shown: Shown::new(pair), source: None, cert_name })
}

/// All of them, before anything is served.
struct Sockets {
    relay: TcpListener,
    stun: Option<UdpSocket>,
    acme: Option<TcpListener>,
    monitor: Option<TcpListener>,
}

impl Sockets {
    async fn bind(config: &Config) -> Result<Self, Fault> {
        let relay = tcp(config.listen, "listen").await?;
        let stun = match config.region.stun {
            Some(at) => Some(UdpSocket::bind(at).await.map_err(Fault::io(format!("STUN on {at} (stun)")))?),
            None => None,
        };
        let acme = match config.acme.as_ref().and_then(|acme| acme.http_listen) {
            Some(at) => Some(tcp(at, "acme.http_listen").await?),
            None => None,
        };
        Ok(Self { relay, stun, acme, monitor: monitor_socket(config.monitor).await? })
    }
}

async fn tcp(at: SocketAddr, key: &str) -> Result<TcpListener, Fault> {
    TcpListener::bind(at).await.map_err(Fault::io(format!("listening on {at} ({key})")))
}

/// Where none was configured, one that another program has is done without.
async fn monitor_socket(config: Option<MonitorConfig>) -> Result<Option<TcpListener>, Fault> {
    let Some(MonitorConfig { listen, chosen }) = config else { return Ok(None) };
    if chosen && !listen.ip().is_loopback() {
        tracing::warn!(%listen, "metrics and health are served to everybody who reaches this address");
    }
    match tcp(listen, "admin.listen").await {
        Ok(socket) => Ok(Some(socket)),
        Err(e) if chosen => Err(e),
        Err(e) => {
            tracing::info!(error = %e, "no metrics are served; `admin.listen` says where else");
            Ok(None)
        }
    }
}

struct Parts {
    stop: CancellationToken,
    tasks: TaskTracker,
    strangers: Arc<Quota>,
}

impl Parts {
    fn relay(&self, socket: TcpListener, tls: Arc<ServerConfig>, relay: &Arc<Relay>) {
        let router = relay::routes(relay.clone(), BTreeMap::new());
        self.http(socket, Some(tls), router, Some(relay.clone()), self.strangers.clone());
    }

    /// Has it watched or renewed.
    fn certificate(&self, source: Option<&Certificate>, http: Option<TcpListener>, host: &str) {
        match source {
            None => {}
            Some(Certificate::Files(files)) => _ = self.tasks.spawn(files.clone().run(self.stop.clone())),
            Some(Certificate::Acme(acme)) => {
                if let Some(socket) = http {
                    let router = acme.router(&format!("https://{host}"));
                    self.http(socket, None, router, None, self.strangers.clone());
                }
                self.tasks.spawn(acme.clone().run(self.stop.clone()));
            }
        }
    }

    fn http(
        &self,
        socket: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        router: Router,
        relay: Option<Arc<Relay>>,
        strangers: Arc<Quota>,
    ) {
        let face = Face { router, proxies: Proxies::default(), only_proxies: false };
        let face = Arc::new(ArcSwap::from_pointee(face));
        let listener = Listener::new(tls, face, relay, strangers, self.stop.clone());
        self.tasks.spawn(listener.serve(socket));
    }
}
