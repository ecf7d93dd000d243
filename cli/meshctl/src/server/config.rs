//! `meshctl server config`.

use std::{collections::BTreeMap, path::Path};

use clap::Subcommand;
use control::config::{Config, DerpMapSource, File, Flags, Mistake, resolve};
use serde::Serialize;

use super::launch::Settings;
use crate::talk::{Answer, Context, Failure, Fields, Render, Screen, join, read_text};

#[derive(Subcommand)]
pub enum Verb {
    /// Say whether a configuration could be run
    Check(CheckArgs),
    /// Show a configuration with everything that was left to defaults
    Show(ShowArgs),
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl server config check --config /etc/meshctl/config.yaml
  meshctl server config check --config new.yaml --json

All mistakes are named at once, with file, key and the nearest right name; then it ends with 1.")]
pub struct CheckArgs {
    #[command(flatten)]
    settings: Settings,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl server config show
  meshctl server config show --config /etc/meshctl/config.yaml --json")]
pub struct ShowArgs {
    #[command(flatten)]
    settings: Settings,
}

impl Verb {
    pub fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::Check(args) => {
                args.settings.resolve()?;
                Answer::of(context, &Valid { valid: true })
            }
            Verb::Show(args) => Answer::of(context, &Shown::of(args.settings.resolve()?)),
        }
    }
}

/// What a configuration says about who can reach the server.
pub struct Told {
    /// Address and port.
    pub listen: String,
    /// Whether it speaks TLS itself.
    pub tls: bool,
}

/// What a configuration file says; all its mistakes, if it has any.
pub fn told(path: &Path) -> Result<Told, Vec<String>> {
    let words = |mistakes: Vec<Mistake>| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let text = read_text(path).map_err(|e| vec![e.detail])?;
    let file = File::parse(path, &text).map_err(words)?;
    let flags = Flags { config_path: Some(path.to_owned()), ..Flags::default() };
    let config = resolve(&file, &flags).map_err(words)?;
    Ok(Told { listen: config.listen.to_string(), tls: config.tls.is_some() })
}

#[derive(Serialize)]
struct Valid {
    valid: bool,
}

impl Render for Valid {
    fn render(&self, _: &Screen) -> String {
        "the configuration is valid\n".to_owned()
    }
}

/// A configuration under the names of its file.
#[derive(Serialize)]
struct Shown {
    server_url: String,
    listen: String,
    tls: Option<Tls>,
    acme: Option<Acme>,
    proxies: Proxies,
    data_dir: String,
    socket: String,
    admin: Admin,
    domain: String,
    relay: Relay,
    derp_maps: Vec<String>,
    keys: Keys,
    dns: Dns,
    leaving_grace: String,
    ephemeral_grace: String,
    key_expiry: String,
}

#[derive(Serialize)]
struct Dns {
    magic: bool,
    override_local: bool,
    resolvers: Vec<String>,
    split: BTreeMap<String, Vec<String>>,
    search: Vec<String>,
    records_file: Option<String>,
}

#[derive(Serialize)]
struct Keys {
    allow_untagged: bool,
}

#[derive(Serialize)]
struct Admin {
    plain_http: bool,
    cors_origins: Vec<String>,
    listen: Option<String>,
}

#[derive(Serialize)]
struct Acme {
    names: Vec<String>,
    directory: String,
    email: Option<String>,
    ca_file: Option<String>,
    http_listen: Option<String>,
}

#[derive(Serialize)]
struct Proxies {
    addresses: Vec<String>,
    header: &'static str,
}

#[derive(Serialize)]
struct Tls {
    cert_file: String,
    key_file: String,
}

#[derive(Default, Serialize)]
struct Relay {
    enabled: bool,
    listen: Option<String>,
    stun: Option<String>,
    host: String,
    port: u16,
    region_id: u16,
    region_code: String,
    region_name: String,
}

impl Shown {
    fn of(config: Config) -> Self {
        let map = |source: DerpMapSource| match source {
            DerpMapSource::File(path) => path.display().to_string(),
            DerpMapSource::Url(url) => url,
        };
        let dns = config.settings.dns;
        let relay = config.relay.map(|r| Relay {
            enabled: true,
            listen: r.listen.map(|a| a.to_string()),
            stun: r.stun.map(|a| a.to_string()),
            host: r.host,
            port: r.port,
            region_id: r.region_id,
            region_code: r.region_code,
            region_name: r.region_name,
        });
        Self {
            server_url: config.server_url,
            listen: config.listen.to_string(),
            tls: config.tls.map(|t| Tls {
                cert_file: t.cert_file.display().to_string(),
                key_file: t.key_file.display().to_string(),
            }),
            acme: config.acme.map(|acme| Acme {
                names: acme.names,
                directory: acme.directory,
                email: acme.email,
                ca_file: acme.ca_file.map(|path| path.display().to_string()),
                http_listen: acme.http_listen.map(|address| address.to_string()),
            }),
            proxies: Proxies {
                addresses: config.proxies.addresses.iter().map(ToString::to_string).collect(),
                header: config.proxies.header.name(),
            },
            data_dir: config.data_dir.display().to_string(),
            socket: config.socket.display().to_string(),
            admin: Admin {
                plain_http: config.admin_in_clear,
                cors_origins: config.cors_origins,
                listen: config.monitor.map(|m| m.listen.to_string()),
            },
            domain: config.settings.domain.clone(),
            relay: relay.unwrap_or_default(),
            derp_maps: config.derp_maps.into_iter().map(map).collect(),
            keys: Keys { allow_untagged: config.settings.allow_untagged },
            dns: Dns {
                magic: dns.magic,
                override_local: dns.override_local,
                resolvers: dns.resolvers.iter().map(ToString::to_string).collect(),
                split: dns
                    .split
                    .iter()
                    .map(|(s, to)| (s.clone(), to.iter().map(ToString::to_string).collect()))
                    .collect(),
                search: dns.search,
                records_file: config.records_file.map(|path| path.display().to_string()),
            },
            leaving_grace: format!("{}s", config.settings.leaving_grace.as_secs()),
            ephemeral_grace: format!("{}s", config.settings.ephemeral_grace.as_secs()),
            key_expiry: config
                .settings
                .key_expiry
                .map_or("never".into(), |long| format!("{}s", long.as_secs())),
        }
    }
}

impl Render for Shown {
    fn render(&self, screen: &Screen) -> String {
        let proxies = Some(&self.proxies).filter(|p| !p.addresses.is_empty());
        let (relay, off) = (&self.relay, || "off".to_owned());
        let own = relay.listen.clone().unwrap_or_else(|| "the server's own".to_owned());
        let fields = Fields::default()
            .add("server_url", &self.server_url)
            .add("listen", &self.listen)
            .add("tls", self.tls.as_ref().map_or_else(off, |t| format!("{}, {}", t.cert_file, t.key_file)))
            .add_if("acme", self.acme.as_ref().map(|a| format!("{} for {}", a.directory, join(&a.names))))
            .add_if("acme.http_listen", self.acme.as_ref().and_then(|a| a.http_listen.as_ref()))
            .add_if("proxies.addresses", proxies.map(|p| join(&p.addresses)))
            .add_if("proxies.header", proxies.map(|p| p.header))
            .add("data_dir", &self.data_dir)
            .add("socket", &self.socket)
            .add("admin.plain_http", self.admin.plain_http)
            .add("admin.cors_origins", join(&self.admin.cors_origins))
            .add("admin.listen", self.admin.listen.clone().unwrap_or_else(off))
            .add("domain", &self.domain)
            .add("relay.enabled", relay.enabled);
        let fields = if relay.enabled {
            fields
                .add("relay.listen", own)
                .add("relay.stun", relay.stun.clone().unwrap_or_else(off))
                .add("relay.host", format!("{}:{}", relay.host, relay.port))
                .add("relay.region_id", relay.region_id)
                .add("relay.region_code", &relay.region_code)
                .add("relay.region_name", &relay.region_name)
        } else {
            fields
        };
        fields
            .add("derp_maps", join(&self.derp_maps))
            .add("keys.allow_untagged", self.keys.allow_untagged)
            .add("dns.magic", self.dns.magic)
            .add("dns.override_local", self.dns.override_local)
            .add("dns.resolvers", join(&self.dns.resolvers))
            .add(
                "dns.split",
                join(self.dns.split.iter().map(|(suffix, to)| format!("{suffix}={}", join(to)))),
            )
            .add("dns.search", join(&self.dns.search))
            .add("dns.records_file", join(&self.dns.records_file))
            .add("leaving_grace", &self.leaving_grace)
            .add("ephemeral_grace", &self.ephemeral_grace)
            .add("key_expiry", &self.key_expiry)
            .render(screen)
    }
}
