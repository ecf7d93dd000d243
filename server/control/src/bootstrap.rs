//! Names that clients must find before the mesh is up.

use http::Uri;
use netmap::{Site, relays};
use world::{Bootstrap, World};

use crate::config::Config;

/// The control server's, and those of every relay that clients are told of.
pub fn names(config: &Config, world: &World, site: &Site) -> Vec<Bootstrap> {
    let relays = relays(world, site);
    let nodes = relays.regions.values().flat_map(|region| &region.nodes);
    let relays = nodes.map(|node| bootstrap(&node.host_name, &format!("relay {}", node.name)));
    let mut names: Vec<_> = std::iter::once(control(&config.server_url)).chain(relays).collect();
    names.sort_by(|a, b| (&a.name, &b.what).cmp(&(&b.name, &a.what)));
    // A host with two duties is named once.
    names.dedup_by(|b, a| a.name == b.name);
    names
}

/// The control server's alone.
pub fn control(server_url: &str) -> Bootstrap {
    let uri = server_url.parse::<Uri>().ok();
    bootstrap(uri.as_ref().and_then(Uri::host).unwrap_or_default(), "the control server")
}

fn bootstrap(host: &str, what: &str) -> Bootstrap {
    let name = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    Bootstrap { name, what: wire::plain(what) }
}
