//! Has the configuration read again: everything in it is prepared first, then all of it is applied, or nothing is.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use netmap::Site;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use world::Command;

use crate::{
    admin,
    certificate::{Certificate, CertificateFiles, Pair},
    config::{Config, Mistake, NotReloaded, TlsFiles},
    doors::{Doors, ReloadWish},
    listen::Face,
    login::{self, Lobby},
    site,
    writer::Origin,
};

/// Where the configuration comes from.
pub type Source = Box<dyn Fn() -> Result<Config, Vec<Mistake>> + Send + Sync>;

/// What a running server has that a configuration may change.
pub(super) struct Reloader {
    pub(super) doors: Arc<Doors>,
    pub(super) source: Source,
    /// The main listener's.
    pub(super) face: Arc<ArcSwap<Face>>,
    /// What it always answers.
    pub(super) base: Router,
    /// What its pages remember.
    pub(super) lobby: Lobby,
    pub(super) relay_cert_name: Option<String>,
}

/// Everything that is to be applied, checked.
struct Prepared {
    config: Config,
    pair: Option<(TlsFiles, Pair)>,
    site: Option<Site>,
    applied: Vec<String>,
}

impl Reloader {
    /// One wish after another, until told to stop.
    pub(super) async fn run(self, mut wishes: mpsc::Receiver<ReloadWish>, stop: CancellationToken) {
        let this = Arc::new(self);
        loop {
            let wish = tokio::select! {
                () = stop.cancelled() => return,
                wish = wishes.recv() => wish,
            };
            let Some(ReloadWish { check, reply }) = wish else { return };
            let outcome = this.clone().reload(check).await;
            match &outcome {
                Ok(applied) if !check => tracing::info!(?applied, "the configuration was read again"),
                Ok(_) => {}
                Err(why) => {
                    let told = lines(why).join("; ");
                    tracing::error!("THE CONFIGURATION IS NOT RELOADED, the one before stays: {told}");
                }
            }
            let _ = reply.send(outcome);
        }
    }

    async fn reload(self: Arc<Self>, check: bool) -> Result<Vec<String>, NotReloaded> {
        let this = self.clone();
        let read = tokio::task::spawn_blocking(move || (this.source)()).await;
        let mut config =
            read.map_err(|e| NotReloaded::Failed(e.to_string()))?.map_err(NotReloaded::Mistakes)?;
        let before = self.doors.config();
        config.settings.own_addresses.clone_from(&before.settings.own_addresses);
        let difference = before.difference(&config);
        if !difference.fixed.is_empty() {
            return Err(NotReloaded::Fixed(difference.fixed));
        }
        let prepared = self.prepared(config, difference.applied).await?;
        let applied = prepared.applied.clone();
        if !check {
            self.apply(prepared).await?;
        }
        Ok(applied)
    }

    async fn prepared(&self, config: Config, keys: Vec<&str>) -> Result<Prepared, NotReloaded> {
        let doors = &self.doors;
        let mut applied: Vec<String> = keys.into_iter().map(str::to_owned).collect();
        let mut unusable = Vec::new();
        let mut pair = None;
        if let Some((watched, files)) = self.files().zip(config.tls.clone()) {
            match watched.read_aside(&files).await {
                Ok(read) => {
                    applied.extend((!watched.shows(&read)).then(|| "tls".to_owned()));
                    pair = Some((files, read));
                }
                Err(why) => unusable.push(format!("tls: {why}")),
            }
        }
        let own = config.relay.as_ref().map(|r| site::own_region(r, self.relay_cert_name.clone()));
        let (map, left_out) = site::derp_map(own, &config.derp_maps, &config.data_dir).await;
        unusable.extend(left_out.iter().map(|e| format!("derp_maps: {e}")));
        if !unusable.is_empty() {
            return Err(NotReloaded::Unusable(unusable));
        }
        let known = doors.hub.site();
        let site = (map != *known.derp_map).then(|| Site { derp_map: Arc::new(map), ..(*known).clone() });
        let is_named = applied.iter().any(|key| key.starts_with("relay.") || key == "derp_maps");
        applied.extend((site.is_some() && !is_named).then(|| "derp_maps".to_owned()));
        Ok(Prepared { config, pair, site, applied })
    }

    fn files(&self) -> Option<&Arc<CertificateFiles>> {
        self.doors.certificate.as_ref().and_then(Certificate::files)
    }

    /// First what may be refused.
    async fn apply(&self, prepared: Prepared) -> Result<(), NotReloaded> {
        let Prepared { config, pair, site, .. } = prepared;
        let doors = &self.doors;
        let command = Command::TakeSettings { settings: Box::new(config.settings.clone()) };
        let taken = doors.writer.submit(command, Origin::system()).await;
        taken.map_err(|e| NotReloaded::Failed(e.to_string()))?;
        if let Some((watched, (files, pair))) = self.files().zip(pair) {
            watched.take(files, pair);
        }
        if let Some(site) = site {
            doors.hub.set_site(Arc::new(site));
        }
        self.face.store(Arc::new(face(doors, &self.lobby, &self.base, &config)));
        doors.set_config(config);
        Ok(())
    }
}

/// What the main listener is to the outside with this configuration.
pub(super) fn face(doors: &Arc<Doors>, lobby: &Lobby, base: &Router, config: &Config) -> Face {
    let in_clear = !config.has_tls() && !config.listen.ip().is_loopback();
    if in_clear && config.admin_in_clear {
        tracing::warn!(listen = %config.listen, "THE ADMIN API IS SERVED WITHOUT TLS (admin.plain_http): whoever can listen in on this address reads API keys and uses them");
    } else if in_clear {
        tracing::info!(listen = %config.listen, "no TLS: the admin API is served on the local socket only");
    }
    let admin = match in_clear && !config.admin_in_clear {
        true => admin::closed(),
        false => admin::routes(doors.clone(), &config.cors_origins),
    };
    let trusted = !in_clear || config.admin_in_clear;
    let pages = login::routes(doors.clone(), lobby, &config.server_url, trusted);
    Face {
        router: base.clone().merge(admin).merge(pages),
        proxies: config.proxies.clone(),
        only_proxies: config.is_behind_proxies(),
    }
}

/// Everything that is wrong, a line each.
fn lines(why: &NotReloaded) -> Vec<String> {
    match why {
        NotReloaded::Mistakes(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
        NotReloaded::Unusable(lines) => lines.clone(),
        NotReloaded::Fixed(_) | NotReloaded::Failed(_) => vec![why.to_string()],
    }
}
