//! Where the relays are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::field::absent;

/// All relay regions a node may use, by region id (which must equal the region's own).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DerpMap {
    #[serde(skip_serializing_if = "absent")]
    pub home_params: Option<DerpHomeParams>,
    pub regions: BTreeMap<u32, DerpRegion>,
    /// Only in files: leave the built-in regions out.
    #[serde(rename = "omitDefaultRegions", skip_serializing_if = "absent")]
    pub omit_default_regions: bool,
}

/// Tuning of the choice of a home region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DerpHomeParams {
    /// Factor on the measured latency; below 1 prefers the region. Empty sets all of them back to 1.
    pub region_score: BTreeMap<u32, Number>,
}

/// One region; ids from 900 to 999 are for regions of one's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DerpRegion {
    /// At least 1.
    #[serde(rename = "RegionID")]
    pub region_id: u32,
    pub region_code: String,
    pub region_name: String,
    #[serde(skip_serializing_if = "absent")]
    pub latitude: Option<Number>,
    #[serde(skip_serializing_if = "absent")]
    pub longitude: Option<Number>,
    #[serde(skip_serializing_if = "absent")]
    pub avoid: bool,
    /// Never measured, never chosen as home.
    #[serde(skip_serializing_if = "absent")]
    pub no_measure_no_home: bool,
    #[serde(skip_serializing_if = "absent")]
    pub nodes: Vec<DerpNode>,
}

/// One relay of a region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DerpNode {
    pub name: String,
    #[serde(rename = "RegionID")]
    pub region_id: u32,
    pub host_name: String,
    /// Expected certificate name, or `sha256-raw:` and 64 hex digits of a self-signed certificate.
    #[serde(skip_serializing_if = "absent")]
    pub cert_name: String,
    /// Empty: by DNS; `none`: this family is off.
    #[serde(rename = "IPv4", skip_serializing_if = "absent")]
    pub ipv4: String,
    #[serde(rename = "IPv6", skip_serializing_if = "absent")]
    pub ipv6: String,
    /// 0: 3478; -1: no STUN here.
    #[serde(rename = "STUNPort", skip_serializing_if = "absent")]
    pub stun_port: i32,
    #[serde(rename = "STUNOnly", skip_serializing_if = "absent")]
    pub stun_only: bool,
    /// 0: 443.
    #[serde(rename = "DERPPort", skip_serializing_if = "absent")]
    pub derp_port: u16,
    #[serde(skip_serializing_if = "absent")]
    pub insecure_for_tests: bool,
    #[serde(rename = "STUNTestIP", skip_serializing_if = "absent")]
    pub stun_test_ip: String,
    #[serde(skip_serializing_if = "absent")]
    pub can_port80: bool,
}
