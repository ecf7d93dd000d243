//! Who this peer is, and its way into the mesh.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tailscale::config::{BadFormatBehavior, load_key_file};
use tailscale::{AuthState, Config, Device};
use tokio::time::timeout;
use url::Url;

#[derive(clap::Args)]
pub struct Identity {
    /// Where the control server is; its certificate must come from a root in the file $TEST_ROOTS_PEM
    #[arg(long)]
    control_url: Url,
    /// The client's keys; made if absent, so that a second start is the same node
    #[arg(long)]
    state: PathBuf,
    /// A file with the pre-auth key
    #[arg(long)]
    auth_key_file: Option<PathBuf>,
    /// The name to ask for
    #[arg(long)]
    hostname: String,
    /// A tag to ask for, may be repeated
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// Ask to be forgotten when gone
    #[arg(long)]
    ephemeral: bool,
    /// Seconds to wait for the first map, and for the client to come back after it lost the server
    #[arg(long, default_value_t = 30)]
    patience: u64,
}

impl Identity {
    /// The client's configuration, with the keys of the state file.
    pub async fn config(&self) -> Result<Config> {
        if std::env::var_os("TEST_ROOTS_PEM").is_none_or(|path| !Path::new(&path).is_file()) {
            bail!("TEST_ROOTS_PEM must name a file of root certificates");
        }
        Ok(Config {
            key_state: load_key_file(&self.state, self.claim_state()?).await?,
            client_name: Some("mesh-peer".to_owned()),
            control_server_url: self.control_url.clone(),
            requested_hostname: Some(self.hostname.clone()),
            requested_tags: self.tags.clone(),
            ephemeral: self.ephemeral,
        })
    }

    /// Joins, and returns once the first map is here. The error says why that did not happen.
    pub async fn join(&self, config: &Config) -> Result<Arc<Device>, String> {
        let joined = async {
            let key = self.auth_key().map_err(|error| format!("{error:#}"))?;
            let device = Device::new(config, key).await.map_err(|error| error.to_string())?;
            if let AuthState::NotAuthorized(url) =
                device.is_authorized().await.map_err(|error| error.to_string())?
            {
                return Err(format!("not authorized, a person would have to open {url}"));
            }
            device.self_node().await.map_err(|error| error.to_string())?;
            Ok(Arc::new(device))
        };
        let late = || format!("no map within {:?}", self.patience());
        timeout(self.patience(), joined).await.unwrap_or_else(|_| Err(late()))
    }

    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }

    /// Makes a state file that only its owner can read, for the client to fill; it would make one for everybody.
    fn claim_state(&self) -> Result<BadFormatBehavior> {
        if self.state.exists() {
            return Ok(BadFormatBehavior::Error);
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options.open(&self.state).with_context(|| format!("cannot make {}", self.state.display()))?;
        Ok(BadFormatBehavior::Overwrite)
    }

    fn auth_key(&self) -> Result<Option<String>> {
        let Some(path) = &self.auth_key_file else { return Ok(None) };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Some(text.trim().to_owned()))
    }
}
