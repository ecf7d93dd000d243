//! What every client is told of the relays: our own region, and those of further DERP maps.
//! A map that cannot be fetched is replaced by its last good copy; a start never waits for one for long.

use std::{
    fs::File,
    io::{Read, Write},
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::future::join_all;
use wire::{DerpMap, DerpNode, DerpRegion};

use crate::config::{DerpMapSource, RelayConfig};

const MAP_BYTES: usize = 1 << 20;
const FETCH_WITHIN: Duration = Duration::from_secs(2);

/// Why a DERP map is not used.
#[derive(Debug, thiserror::Error)]
pub enum DerpMapError {
    /// It cannot be had.
    #[error("{place}: {cause}")]
    Unreadable {
        /// File or URL.
        place: String,
        /// Why.
        cause: String,
    },
    /// It says something that clients would refuse.
    #[error("{place}: {why}")]
    Invalid {
        /// File or URL.
        place: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Our own region. `cert_name` pins a self-signed certificate.
pub fn own_region(relay: &RelayConfig, cert_name: Option<String>) -> DerpRegion {
    let region_id = u32::from(relay.region_id);
    let address: Option<IpAddr> = relay.host.parse().ok();
    let (ipv4, ipv6) = match address {
        Some(IpAddr::V4(ip)) => (ip.to_string(), "none".to_owned()),
        Some(IpAddr::V6(ip)) => ("none".to_owned(), ip.to_string()),
        None => (String::new(), String::new()),
    };
    let node = DerpNode {
        name: format!("{}a", relay.region_id),
        region_id,
        host_name: relay.host.clone(),
        cert_name: cert_name.unwrap_or_default(),
        ipv4,
        ipv6,
        stun_port: relay.stun.map_or(-1, |a| i32::from(a.port())),
        derp_port: relay.port,
        ..DerpNode::default()
    };
    DerpRegion {
        region_id,
        region_code: relay.region_code.clone(),
        region_name: relay.region_name.clone(),
        nodes: vec![node],
        ..DerpRegion::default()
    }
}

/// Our region and all regions of the further maps; of two regions with the same id the first one counts. What had to be
/// left out comes beside it.
pub async fn derp_map(
    own: Option<DerpRegion>,
    sources: &[DerpMapSource],
    cache: &Path,
) -> (DerpMap, Vec<DerpMapError>) {
    let (mut map, mut left_out) = (DerpMap::default(), Vec::new());
    map.regions.extend(own.map(|region| (region.region_id, region)));
    for further in join_all(sources.iter().map(|source| further(source, cache))).await {
        match further {
            Ok(found) => {
                for (id, region) in found.regions {
                    map.regions.entry(id).or_insert(region);
                }
            }
            Err(e) => left_out.push(e),
        }
    }
    (map, left_out)
}

async fn further(source: &DerpMapSource, cache: &Path) -> Result<DerpMap, DerpMapError> {
    match source {
        DerpMapSource::File(path) => {
            let place = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|e| unreadable(&place, e))?;
            json_or_yaml(&place, &text)
        }
        DerpMapSource::Url(url) => {
            let copy = cached_at(cache, url);
            match fetch(url).await.and_then(|text| json(url, &text).map(|map| (map, text))) {
                Ok((map, text)) => {
                    if let Err(e) = keep(&copy, &text) {
                        tracing::warn!(error = %e, "a DERP map could not be kept for the next start");
                    }
                    Ok(map)
                }
                Err(e) => {
                    let Ok(Some(kept)) = kept(&copy) else { return Err(e) };
                    let map = json(url, &kept).inspect_err(|_| {
                        tracing::warn!(copy = %copy.display(), "the copy of a DERP map cannot be used");
                    });
                    let Ok(map) = map else { return Err(e) };
                    tracing::warn!(error = %e, "a DERP map is replaced by its last good copy");
                    Ok(map)
                }
            }
        }
    }
}

async fn fetch(url: &str) -> Result<String, DerpMapError> {
    let fail = |e: reqwest::Error| unreadable(url, e.without_url());
    let client = reqwest::Client::builder().timeout(FETCH_WITHIN).build().map_err(fail)?;
    let mut response =
        client.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(fail)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(fail)? {
        if body.len() + chunk.len() > MAP_BYTES {
            return Err(DerpMapError::Invalid { place: url.into(), why: "larger than 1 MiB".into() });
        }
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body).map_err(|e| unreadable(url, e))
}

/// Whole or not at all: a start that is killed, or a full disk, leaves the copy before.
fn keep(copy: &Path, text: &str) -> std::io::Result<()> {
    let fresh = copy.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, copy)?;
    copy.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// The copy, if it is no larger than what is fetched.
fn kept(copy: &Path) -> std::io::Result<Option<String>> {
    let mut text = String::new();
    File::open(copy)?.take(MAP_BYTES as u64 + 1).read_to_string(&mut text)?;
    Ok((text.len() <= MAP_BYTES).then_some(text))
}

fn cached_at(folder: &Path, url: &str) -> PathBuf {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, url.as_bytes());
    folder.join(format!("derp-map-{}.json", hex::encode(&digest.as_ref()[..8])))
}

/// A file is of one's own; what a stranger sends is JSON only, for YAML can be made slow to read.
fn json_or_yaml(place: &str, text: &str) -> Result<DerpMap, DerpMapError> {
    if text.trim_start().starts_with('{') {
        return json(place, text);
    }
    checked(place, yaml(text).map_err(|e| unreadable(place, e))?)
}

fn json(place: &str, text: &str) -> Result<DerpMap, DerpMapError> {
    checked(place, serde_json::from_str(text).map_err(|e| unreadable(place, e))?)
}

fn checked(place: &str, map: DerpMap) -> Result<DerpMap, DerpMapError> {
    if map.regions.is_empty() {
        return Err(DerpMapError::Invalid { place: place.into(), why: "there are no Regions in it".into() });
    }
    for (id, region) in &map.regions {
        let invalid = |why: String| Err(DerpMapError::Invalid { place: place.into(), why });
        if *id == 0 || *id > 65535 || region.region_id != *id {
            return invalid(format!("region {id} names itself {}", region.region_id));
        }
        if region.nodes.iter().any(|n| n.region_id != *id || n.name.is_empty() || n.host_name.is_empty()) {
            return invalid(format!("a node of region {id} lacks a name, a host name or the region's id"));
        }
    }
    Ok(map)
}

/// By way of JSON, where a number that is a key may be quoted or not.
fn yaml(text: &str) -> Result<DerpMap, Box<dyn std::error::Error>> {
    let value: serde_yaml::Value = serde_yaml::from_str(text)?;
    Ok(serde_json::from_value(serde_json::to_value(value)?)?)
}

fn unreadable(place: &str, cause: impl std::fmt::Display) -> DerpMapError {
    DerpMapError::Unreadable { place: place.into(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (copy, other) = (folder.path().join("derp-map-1.json"), folder.path().join("seen"));
        keep(&copy, "first").unwrap();
        // What has the old file open sees the old text to its end.
        std::fs::hard_link(&copy, &other).unwrap();
        keep(&copy, "second").unwrap();
        assert_eq!(kept(&copy).unwrap().as_deref(), Some("second"));
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "first");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left behind");
    }

    #[test]
    fn a_copy_that_cannot_be_written_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("derp-map-1.json");
        keep(&copy, "first").unwrap();
        std::fs::create_dir(copy.with_extension("new")).unwrap();
        assert!(keep(&copy, "second").is_err());
        assert_eq!(kept(&copy).unwrap().as_deref(), Some("first"));
        std::fs::write(&copy, "x".repeat(MAP_BYTES + 1)).unwrap();
        assert_eq!(kept(&copy).unwrap(), None, "a huge one is not read");
    }
}
