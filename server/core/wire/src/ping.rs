//! Questions to a live node.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::field::{absent, base64};

/// "Show that you are there": a HEAD of `url`, a ping of `ip`, or (type `c2n`) an HTTP request to the node itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PingRequest {
    /// Where the answer goes; a fresh one for each question.
    #[serde(rename = "URL")]
    pub url: String,
    /// The answer travels inside the Noise connection.
    #[serde(rename = "URLIsNoise")]
    pub url_is_noise: bool,
    #[serde(skip_serializing_if = "absent")]
    pub log: bool,
    /// Comma list of `disco`, `TSMP`, `ICMP`, `peerapi`, or `c2n`; empty for a plain HEAD.
    pub types: String,
    #[serde(rename = "IP", skip_serializing_if = "absent")]
    pub ip: Option<IpAddr>,
    /// For `c2n`: a whole HTTP/1.1 request.
    #[serde(with = "base64", skip_serializing_if = "absent")]
    pub payload: Vec<u8>,
}
