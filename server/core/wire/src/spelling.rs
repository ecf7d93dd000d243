//! The usual spelling of every key that a request may hold; clients differ in upper and lower case.

use std::cmp::Ordering;

/// The usual spelling of a key, whatever its case; `None` for an unknown one.
pub(crate) fn canonical(key: &str) -> Option<&'static str> {
    KEYS.binary_search_by(|k| order(k, key)).ok().and_then(|at| KEYS.get(at).copied())
}

fn order(a: &str, b: &str) -> Ordering {
    a.bytes().map(|c| c.to_ascii_lowercase()).cmp(b.bytes().map(|c| c.to_ascii_lowercase()))
}

/// In the order of their lower-case forms.
#[rustfmt::skip]
const KEYS: &[&str] = &[
    "AllowsUpdate", "App", "AppConnector", "Audience", "Auth", "AuthKey", "BackendLogID", "CapVersion", "City", "CityCode",
    "Cloud", "Compress", "ConnectionHandleForTest", "Container", "Country", "CountryCode", "DebugFlags",
    "DERPLatency", "Description", "Desktop", "DeviceCert", "DeviceModel", "DiscoKey", "Distro",
    "DistroCodeName", "DistroVersion", "Endpoints", "EndpointTypes", "Env", "Ephemeral", "ExitNodeID",
    "Expiry", "FamilyIndicator", "FirewallMode", "FirmwareVersion", "Followup", "FrontendLogID", "GoArch",
    "GoArchVar", "GoVersion", "HardwareAttestationKey", "HardwareAttestationKeySignature",
    "HardwareAttestationKeySignatureTimestamp", "HavePortMap", "Hostinfo", "Hostname", "IngressEnabled",
    "IPNVersion", "KeepAlive", "Latitude", "LinkType", "Location", "Longitude", "Machine", "Manufacturer",
    "MappingVariesByDestIP", "MapSessionHandle", "MapSessionSeq", "Model", "NetInfo", "NLKey", "NodeKey",
    "NodeKeySignature", "NoLogsNoSupport", "Oauth2Token", "OldNodeKey", "OmitPeers", "OS", "OSHasIPv6",
    "OSVersion", "Package", "PCP", "PeerRelay", "PMP", "Port", "PreferredDERP", "Priority", "Proto",
    "PushDeviceToken", "ReadOnly", "RemoteConfig", "RequestTags", "RoutableIPs", "Services", "ServicesHash",
    "ShareeNode", "ShieldsUp", "Signature", "SignatureType", "SpecRevision", "sshHostKeys",
    "StateEncrypted", "Stream", "Tailnet", "Timestamp", "TKAHead", "TPM", "UPnP", "Userspace",
    "UserspaceRouter", "Vendor", "Version", "WireIngress", "WoLMACs", "WorkingICMPv4", "WorkingIPv6",
    "WorkingUDP",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_searched() {
        assert!(KEYS.is_sorted_by(|a, b| order(a, b) == Ordering::Less));
    }

    #[test]
    fn every_case_is_one_key() {
        for spelling in ["Hostinfo", "HostInfo", "hostinfo", "HOSTINFO"] {
            assert_eq!(canonical(spelling), Some("Hostinfo"));
        }
        assert_eq!(canonical("SshHostKeys"), Some("sshHostKeys"));
        assert_eq!(canonical("DerpLatency"), Some("DERPLatency"));
        assert_eq!(canonical("1-v4"), None);
    }
}
