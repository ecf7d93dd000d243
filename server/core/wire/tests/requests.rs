//! Bodies as the two client families send them.

use std::collections::BTreeMap;

use wire::{CapVer, DecodeError, Hostinfo, MapRequest, RegisterRequest, decode};

fn key(digit: char) -> String {
    digit.to_string().repeat(64)
}

#[test]
fn a_go_client_registers() {
    // As tailscaled writes it: zero keys and the zero time spelled out, null for what it has not.
    let body = format!(
        r#"{{"Version":139,"NodeKey":"nodekey:{a}","OldNodeKey":"nodekey:{zero}","NLKey":"nlpub:{a}",
            "Auth":{{"AuthKey":"mesh-auth-abc"}},"Expiry":"0001-01-01T00:00:00Z","Followup":"",
            "Hostinfo":{{"IPNVersion":"1.96.1","BackendLogID":"b10c","OS":"linux","OSVersion":"6.18","Desktop":false,
                "Hostname":"laptop","GoArch":"amd64","RoutableIPs":["10.1.2.3/8","junk","10.0.0.0/8","::/0"],
                "RequestTags":["tag:server"],"Services":[{{"Proto":"peerapi4","Port":40000}}],
                "sshHostKeys":["ssh-ed25519 AAAA"],"Userspace":true,"Location":null}},
            "Ephemeral":true,"NodeKeySignature":null,"SignatureType":"","Timestamp":null,"Tailnet":""}}"#,
        a = key('a'),
        zero = key('0')
    );
    let r: RegisterRequest = decode(body.as_bytes()).unwrap();
    assert_eq!(r.version, CapVer(139));
    assert_eq!(r.node_key.unwrap().to_string(), format!("nodekey:{}", key('a')));
    assert_eq!((r.old_node_key, r.expiry), (None, None));
    assert_eq!(r.auth.unwrap().auth_key.unwrap().expose(), "mesh-auth-abc");
    assert!(r.ephemeral);
    let host = r.hostinfo.unwrap();
    let routes: Vec<_> = host.routable_ips.iter().map(ToString::to_string).collect();
    assert_eq!(routes, ["10.0.0.0/8", "::/0"]);
    assert_eq!(host.ssh_host_keys, ["ssh-ed25519 AAAA"]);
    let kept: Vec<_> = host.other.keys().map(String::as_str).collect();
    assert_eq!(kept, ["BackendLogID", "Desktop", "GoArch"]);
}

#[test]
fn a_rust_client_registers() {
    // Keys in another case, no OldNodeKey, a number where the other family has a text.
    let body = format!(
        r#"{{"Version":130,"NodeKey":"nodekey:{a}","SignatureType":0,"Auth":{{"AuthKey":"k"}},
            "Hostinfo":{{"IpnVersion":"0.6.1","Os":"linux","Hostname":"bot","App":"echo","SshHostKeys":["x"],
                "NetInfo":{{"PreferredDerp":7,"WorkingIpv6":true,"OsHasIpv6":false,"Upnp":true,
                    "DerpLatency":{{"7-v4":0.25}}}}}}}}"#,
        a = key('a')
    );
    let r: RegisterRequest = decode(body.as_bytes()).unwrap();
    let host = r.hostinfo.unwrap();
    assert_eq!((host.ipn_version.as_str(), host.os.as_str(), host.app.as_str()), ("0.6.1", "linux", "echo"));
    assert_eq!(host.ssh_host_keys, ["x"]);
    let net = host.net_info.unwrap();
    assert_eq!(
        (net.preferred_derp, net.working_ipv6, net.os_has_ipv6, net.upnp),
        (7, Some(true), Some(false), Some(true))
    );
    assert_eq!(net.derp_latency["7-v4"].as_f64(), Some(0.25));
    assert!(host.other.is_empty());
}

#[test]
fn logout_names_a_time_in_the_past() {
    let body = format!(r#"{{"NodeKey":"nodekey:{}","Expiry":"1970-01-01T00:02:03Z","Auth":null}}"#, key('a'));
    let r: RegisterRequest = decode(body.as_bytes()).unwrap();
    assert_eq!(r.expiry.unwrap().as_second(), 123);
    assert!(r.auth.is_none());
}

#[test]
fn both_families_ask_for_maps() {
    let go = format!(
        r#"{{"Version":139,"Compress":"zstd","KeepAlive":true,"NodeKey":"nodekey:{a}","DiscoKey":"discokey:{b}",
            "Stream":true,"Hostinfo":{{"Hostname":"h"}},"Endpoints":["192.0.2.1:41641","[fe80::1%eth0]:1"],
            "EndpointTypes":[1,2],"OmitPeers":false,"ReadOnly":false,"DebugFlags":["warn-router-unhealthy"]}}"#,
        a = key('a'),
        b = key('b')
    );
    let r: MapRequest = decode(go.as_bytes()).unwrap();
    assert!(r.wants_zstd() && r.stream && !r.is_lite());
    assert_eq!(r.endpoints(), ["192.0.2.1:41641".parse().unwrap()]);

    let rust = format!(
        r#"{{"Version":130,"NodeKey":"nodekey:{a}","DiscoKey":"discokey:{zero}","OmitPeers":true,
            "HostInfo":{{"Hostname":"h","IpnVersion":"0.6.1"}}}}"#,
        a = key('a'),
        zero = key('0')
    );
    let r: MapRequest = decode(rust.as_bytes()).unwrap();
    assert!(r.is_lite() && !r.wants_zstd());
    assert_eq!(r.disco_key, None);
    assert_eq!(r.hostinfo.unwrap().ipn_version, "0.6.1");
}

#[test]
fn bad_bodies_are_named_but_never_quoted() {
    assert_eq!(decode::<MapRequest>(b"{").unwrap_err(), DecodeError::Syntax { line: 1, column: 1 });
    assert_eq!(decode::<MapRequest>(b"{} {}").unwrap_err(), DecodeError::Syntax { line: 1, column: 4 });
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(32), "]".repeat(32));
    assert_eq!(decode::<MapRequest>(deep.as_bytes()).unwrap_err(), DecodeError::Bounds);
    let many = format!("{{\"x\":[{}1]}}", "1,".repeat(40_000));
    assert_eq!(decode::<MapRequest>(many.as_bytes()).unwrap_err(), DecodeError::Bounds);
    let told = decode::<MapRequest>(br#"{"Version":"my-secret \" key"}"#).unwrap_err().to_string();
    assert!(told.contains("invalid type") && !told.contains("secret"), "{told}");
    let told = decode::<MapRequest>(br#"{"NodeKey":"mkey:00"}"#).unwrap_err().to_string();
    assert!(told.contains("nodekey:"), "{told}");
}

#[test]
fn hostinfo_stays_within_bounds() {
    let others: BTreeMap<_, _> = (0..500).map(|n| (format!("X{n:03}"), "v".repeat(1000).into())).collect();
    let host = Hostinfo {
        hostname: format!("a\"b\\c\n\u{202e}{}", "é".repeat(300)),
        request_tags: vec!["tag:x".into(); 1000],
        other: others,
        ..Hostinfo::default()
    };
    let clean = host.sanitised();
    assert!(clean.hostname.starts_with("abcé") && clean.hostname.len() <= 256);
    assert_eq!((clean.request_tags.len(), clean.other.len()), (64, 16));
    assert_eq!(clean.clone().sanitised(), clean);
}

#[test]
fn a_sent_register_request_is_read_back() {
    let body = format!(
        r#"{{"Version":139,"NodeKey":"nodekey:{}","Auth":{{"AuthKey":"k"}},"Followup":"f"}}"#,
        key('a')
    );
    let once: RegisterRequest = decode(body.as_bytes()).unwrap();
    let again: RegisterRequest = decode(&once.encode().unwrap()).unwrap();
    assert_eq!(again.auth.as_ref().unwrap().auth_key.as_ref().unwrap().expose(), "k");
    assert_eq!((again.node_key, again.followup.as_str()), (once.node_key, "f"));
    assert!(!format!("{again:?}").contains("\"k\""));
}
