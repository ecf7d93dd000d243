//! Bodies as the two client families send them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use wire::{CapVer, DecodeError, Hostinfo, Location, MapRequest, RegisterRequest, Service, decode};

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

/// The Hostinfo of a report with this JSON, cleaned.
fn reported(hostinfo: &str) -> Hostinfo {
    let body = format!(r#"{{"Version":139,"NodeKey":"nodekey:{}","Hostinfo":{hostinfo}}}"#, key('a'));
    decode::<MapRequest>(body.as_bytes()).unwrap().hostinfo.unwrap().sanitised()
}

fn is_read_back(host: &Hostinfo) {
    let json = serde_json::to_string(host).unwrap();
    assert_eq!(&serde_json::from_str::<Hostinfo>(&json).unwrap(), host, "{json}");
}

#[test]
fn keys_that_would_become_another_key_are_dropped() {
    for odd in [
        r#"{"Hostname":"a","Hostname\u0001":{"x":1}}"#,
        r#"{"Hostname":"a","OS\u0001":7}"#,
        r#"{"Hostname":"a","O\"S":7,"\u202eOS":[]}"#,
        // letters that Go's decoder takes for s and k
        r#"{"Hostname":"a","O\u017f":7,"s\u017fhHostKeys":1,"Ser\u0000vices":"x","NetInfo\\":2}"#,
    ] {
        let host = reported(odd);
        assert_eq!(host, Hostinfo { hostname: "a".into(), ..Hostinfo::default() }, "{odd}");
        is_read_back(&host);
    }
    let host = reported(r#"{"Tpm":{"Model":1,"Model\u0001":2,"in":[{"x":1,"x\u0007":[]}]}}"#);
    assert_eq!(serde_json::to_string(&host).unwrap(), r#"{"TPM":{"Model":1,"in":[{"x":1}]}}"#);
    let host = reported(r#"{"NetInfo":{"DERPLatency":{"7-v4":0.5,"7-v4\u0001":0.25,"9-v6\n":1}}}"#);
    assert_eq!(serde_json::to_string(&host).unwrap(), r#"{"NetInfo":{"DERPLatency":{"7-v4":0.5}}}"#);
    let host = Hostinfo {
        other: ["OS", "hostname", "SshHostKeys", "Distro"].map(|k| (k.to_owned(), 7.into())).into(),
        ..Hostinfo::default()
    };
    assert_eq!(host.sanitised().other.into_keys().collect::<Vec<_>>(), ["Distro"]);
}

#[test]
fn a_place_is_a_place_or_nothing() {
    for no_place in [
        r#""x""#,
        "7",
        "[]",
        r#"{"Country":7}"#,
        r#"{"City":["x"]}"#,
        r#"{"Latitude":"1"}"#,
        r#"{"Longitude":181}"#,
        r#"{"Latitude":-1e300}"#,
        r#"{"Priority":-1}"#,
        r#"{"Priority":1.5}"#,
        r#"{"Priority":18446744073709551615}"#,
    ] {
        assert_eq!(reported(&format!(r#"{{"Location":{no_place}}}"#)).location, None, "{no_place}");
    }
    let host = reported(
        r#"{"Location":{"country":"At","CountryCode":"A\"T","City":null,"CITYCODE":"VIE","Latitude":48,
            "Longitude":16.372504123456,"Priority":100,"x":[1]}}"#,
    );
    let place = Location {
        country: "At".into(),
        country_code: "AT".into(),
        city: String::new(),
        city_code: "VIE".into(),
        latitude: 48.0.try_into().unwrap(),
        longitude: 16.372504.try_into().unwrap(),
        priority: 100,
    };
    assert_eq!(host.location, Some(place));
    is_read_back(&host);
    let long = reported(&format!(r#"{{"Location":{{"City":"{}"}}}}"#, "é".repeat(30_000)));
    assert_eq!(long.location.unwrap().city, "é".repeat(64));
}

#[test]
fn the_heaviest_host_loses_what_matters_least() {
    let prefix = |n: usize| format!("ffff:ffff:ffff:ffff:ffff:ffff:ffff:{n:x}/128").parse().unwrap();
    let service = |proto: &str| Service { proto: proto.into(), port: 1, description: "d".repeat(128) };
    let mut host = Hostinfo {
        hostname: "h".repeat(256),
        os: "o".repeat(128),
        app: "a".repeat(128),
        os_version: "v".repeat(128),
        ipn_version: "i".repeat(128),
        request_tags: vec!["t".repeat(128); 64],
        ssh_host_keys: vec!["k".repeat(1024); 16],
        services: vec![service("peerapi4"), service("peerapi6"), service("peerapi-dns-proxy")],
        location: Some(Location { city: "c".repeat(128), ..Location::default() }),
        ..Hostinfo::default()
    };
    host.services.extend(vec![service(&"p".repeat(128)); 200]);
    let size = |host: &Hostinfo| serde_json::to_vec(host).unwrap().len();

    let light = host.clone().sanitised();
    assert_eq!((light.services.len(), light.ssh_host_keys.len()), (3, 16));
    assert!(size(&light) <= 32 << 10, "{}", size(&light));

    host.routable_ips = (0x1000..0x1100).map(prefix).collect();
    host.other = BTreeMap::from([("Distro".into(), "debian".into())]);
    let light = host.clone().sanitised();
    assert_eq!((light.services.len(), light.ssh_host_keys.len(), light.routable_ips.len()), (3, 0, 256));
    assert!(light.other.is_empty() && size(&light) <= 32 << 10, "{}", size(&light));

    host.routable_ips = (0x1000..0x2000).map(prefix).collect();
    let light = host.sanitised();
    assert_eq!((light.services.len(), light.request_tags.len(), light.routable_ips.len()), (3, 64, 400));
    assert!(size(&light) <= 32 << 10, "{}", size(&light));
    is_read_back(&light);
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
