//! `meshctl relay map`.

use control::standalone;
use serde::Serialize;
use serde_json::Value;

use super::settings::{Settings, fault};
use crate::talk::{Answer, Context, Failure, Render, Screen};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl relay map --config /etc/meshctl-relay/config.yaml
  meshctl relay map --config /etc/meshctl-relay/config.yaml > relay-901.yaml

Save what it prints beside the configuration of the control server, and name that file there in
`derp_maps`; after `meshctl server reload` its clients know the relay. A certificate of the relay's
own is named by its digest, so that clients accept it and no other. Several relays: a file and a
region for each.")]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
}

/// What clients are to be told of the relay.
#[derive(Serialize)]
pub struct Map {
    map: Value,
    #[serde(skip)]
    file: String,
}

impl Map {
    /// Of a map that is about to be printed.
    pub fn of(map: Value, file: String) -> Self {
        Self { map, file }
    }
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let config = args.settings.resolve()?;
    let folder = config.data_dir.display();
    let Some(map) = standalone::map(&config).map_err(|e| fault(&e))? else {
        let detail = format!("there is no certificate for {} in {folder} yet", config.region.host);
        return Err(Failure::unknown(detail).hint("start the relay once: its first start makes one"));
    };
    let value = serde_json::to_value(&map).map_err(|e| Failure::failed(e.to_string()))?;
    Answer::of(context, &Map::of(value, standalone::map_file(&map)))
}

impl Render for Map {
    fn render(&self, _: &Screen) -> String {
        format!(
            "# For a file beside the control server's configuration, which names it in `derp_maps`.\n{}",
            self.file
        )
    }
}
