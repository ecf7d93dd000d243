//! Cuts what a client says of itself to what a server can keep and peers can read.

use super::{Hostinfo, MOST_ROUTES, other};
use crate::{NetInfo, encode::plain};

/// Bytes of JSON that a sanitised Hostinfo takes at most.
const MOST_BYTES: usize = 32 << 10;
/// So many routes, with all that cannot be dropped, are below [`MOST_BYTES`].
const ROUTES_THAT_FIT: usize = 400;
const MOST_SERVICES: usize = 256;
const MOST_TAGS: usize = 64;
const MOST_HOST_KEYS: usize = 16;
const MOST_LATENCIES: usize = 1024;
const LONGEST_LATENCY_KEY: usize = 32;
const SHORT: usize = 128;
const LONG: usize = 1024;

impl Hostinfo {
    /// The same with every text and list cut to a sane length, texts without control characters, quotes and
    /// backslashes, fractions to six decimals, and at most 32 KiB of JSON. Its JSON is read back as the same value,
    /// and sanitising twice changes nothing more.
    pub fn sanitised(mut self) -> Self {
        for text in [&mut self.ipn_version, &mut self.os, &mut self.os_version, &mut self.app] {
            clean(text, SHORT);
        }
        clean(&mut self.hostname, 2 * SHORT);
        self.routable_ips.truncate(MOST_ROUTES);
        clean_list(&mut self.request_tags, MOST_TAGS, SHORT);
        clean_list(&mut self.ssh_host_keys, MOST_HOST_KEYS, LONG);
        self.services.truncate(MOST_SERVICES);
        for service in &mut self.services {
            clean(&mut service.proto, SHORT);
            clean(&mut service.description, SHORT);
        }
        self.net_info = self.net_info.map(clean_net_info);
        self.location.iter_mut().flat_map(|l| l.texts()).for_each(|text| clean(text, SHORT));
        self.other = other::cleaned(self.other);
        self.lightened()
    }

    /// Drops the least useful parts first, until it is light enough.
    fn lightened(mut self) -> Self {
        let steps: [fn(&mut Self); 5] = [
            |host| host.other.clear(),
            |host| host.services = host.services_for_peers(),
            |host| host.net_info.iter_mut().for_each(|net| net.derp_latency.clear()),
            |host| host.ssh_host_keys.clear(),
            |host| host.routable_ips.truncate(ROUTES_THAT_FIT),
        ];
        for step in steps {
            if serde_json::to_vec(&self).is_ok_and(|json| json.len() <= MOST_BYTES) {
                break;
            }
            step(&mut self);
        }
        self
    }
}

pub(super) fn clean(text: &mut String, most_bytes: usize) {
    let cleaned = plain(text);
    let end = cleaned.floor_char_boundary(most_bytes);
    cleaned[..end].clone_into(text);
}

fn clean_list(list: &mut Vec<String>, most: usize, most_bytes: usize) {
    list.truncate(most);
    for text in list {
        clean(text, most_bytes);
    }
}

fn clean_net_info(mut net: NetInfo) -> NetInfo {
    clean(&mut net.link_type, SHORT);
    clean(&mut net.firewall_mode, SHORT);
    let fits = |key: &String| key.len() <= LONGEST_LATENCY_KEY && other::is_key(key);
    let tidy = net.derp_latency.into_iter().filter(|(key, _)| fits(key));
    let tidy = tidy.filter_map(|(key, seconds)| Some((key, other::clean_number(seconds)?)));
    net.derp_latency = tidy.take(MOST_LATENCIES).collect();
    net
}
