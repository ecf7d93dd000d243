//! Configuration files with mistakes: every one is named at once, with its place and what to write instead.

use std::path::Path;

use control::config::{Config, File, Flags, Mistake, resolve};

fn load(text: &str) -> Result<Config, Vec<Mistake>> {
    let path = Path::new("mesh.yaml");
    let flags = Flags { config_path: Some(path.to_owned()), ..Flags::default() };
    File::parse(path, text).and_then(|file| resolve(&file, &flags))
}

fn mistakes(text: &str) -> Vec<Mistake> {
    load(text).expect_err(text)
}

/// Keys with a mistake, in alphabetical order.
fn keys(text: &str) -> Vec<String> {
    let mut keys: Vec<_> = mistakes(text).into_iter().map(|m| m.key).collect();
    keys.sort();
    keys
}

#[test]
fn every_mistake_of_a_file_is_named_at_once_whatever_its_kind() {
    let text = "
server_url: https://mesh.example.com/control
listen: here
domain: single
tls: {}
relay:
  listen: '8443'
  stun: no
  region_id: 0
  hots: relay.example.com
leaving_grace: 10
ephemeral_grace: 1y
derp_map: [a.yaml]
";
    let wanted = [
        "derp_map",
        "domain",
        "ephemeral_grace",
        "leaving_grace",
        "listen",
        "relay.hots",
        "relay.listen",
        "relay.region_id",
        "relay.stun",
        "server_url",
        "tls.cert_file",
        "tls.key_file",
    ];
    assert_eq!(keys(text), wanted);
    for mistake in mistakes(text) {
        assert_eq!(mistake.place, "mesh.yaml");
        let line = mistake.to_string();
        assert!(line.starts_with(&format!("mesh.yaml: {}: ", mistake.key)) && !line.contains('\n'), "{line}");
    }
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_right_one() {
    for (wrong, right) in [
        ("server_ulr: x", "server_url"),
        ("lisen: x", "listen"),
        ("datadir: x", "data_dir"),
        ("domian: x", "domain"),
        ("derp_map: [x]", "derp_maps"),
        ("leaving-grace: 1s", "leaving_grace"),
        ("tls: {cert: x, cert_file: a, key_file: b}", "tls.cert_file"),
        ("relay: {enable: true}", "relay.enabled"),
        ("relay: {regionid: 901}", "relay.region_id"),
        ("relay: {STUN: off}", "relay.stun"),
    ] {
        let found = mistakes(wrong);
        let [only] = found.as_slice() else { panic!("{wrong}: {found:?}") };
        assert_eq!(only.message, "unknown key", "{wrong}");
        assert_eq!(only.hint.as_deref(), Some(format!("did you mean {right}?").as_str()), "{wrong}");
    }
    let found = mistakes("colour_of_the_shed: green\n");
    assert_eq!((found[0].key.as_str(), &found[0].hint), ("colour_of_the_shed", &None), "no name is near");
}

#[test]
fn what_is_no_file_of_settings_is_said_in_one_line() {
    for text in ["- a\n- b\n", "just words", "listen: [", "listen: a\nlisten: b\n", "\t", "a: &a [*a, *a]"] {
        let found = mistakes(text);
        let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert!(
            lines.iter().all(|l| l.starts_with("mesh.yaml: ") && !l.contains('\n')),
            "{text:?}: {lines:?}"
        );
    }
}

#[test]
fn the_domain_may_not_swallow_a_host_that_clients_need() {
    for text in [
        "server_url: https://mesh.example.com\ndomain: mesh.example.com\n",
        "server_url: https://control.mesh.example.com\ndomain: mesh.example.com\n",
        "server_url: https://Control.Mesh.Example.Com\ndomain: mesh.example.com\n",
        "server_url: https://control.mesh.example.com.\ndomain: mesh.example.com\n",
        "server_url: https://control.mesh.example.com:8443\ndomain: MESH.example.com.\n",
    ] {
        let found = mistakes(text);
        assert!(
            found.iter().any(|m| m.key == "domain" && m.message.contains("host of server_url")),
            "{text}: {found:?}"
        );
    }
    let relay =
        "server_url: https://c.example.com\ndomain: mesh.example.com\nrelay: {host: derp.mesh.example.com}\n";
    assert_eq!(keys(relay), ["domain"]);
    load("server_url: https://mesh.example.com\ndomain: net.mesh.example.com\n").unwrap();
    load("server_url: https://amesh.example.com\ndomain: mesh.example.com\n").unwrap();
}

#[test]
fn the_address_of_the_server_is_scheme_host_and_port() {
    for url in [
        "https://mesh.example.com/control",
        "https://mesh.example.com/?a=b",
        "https://mesh.example.com#top",
        "https://alice:secret@mesh.example.com",
        "mesh.example.com",
        "ftp://mesh.example.com",
        "https://",
        "''",
        "'https://mesh example.com'",
    ] {
        assert_eq!(keys(&format!("server_url: {url}\n")), ["server_url"], "{url}");
    }
    for (url, taken) in [
        ("https://mesh.example.com/", "https://mesh.example.com"),
        ("https://mesh.example.com", "https://mesh.example.com"),
        ("http://[2001:db8::1]:8080/", "http://[2001:db8::1]:8080"),
    ] {
        assert_eq!(load(&format!("server_url: '{url}'\n")).unwrap().server_url, taken);
    }
}

#[test]
fn addresses_that_cannot_both_be_had_are_a_mistake() {
    assert_eq!(keys("listen: 127.0.0.1:8443\n"), ["relay.listen"], "where the relay listens by default");
    assert_eq!(keys("listen: 127.0.0.1:9000\nrelay: {listen: '127.0.0.1:9000'}\n"), ["relay.listen"]);
    load("listen: 127.0.0.1:9000\nrelay: {listen: '127.0.0.2:9000', stun: '127.0.0.1:9000'}\n").unwrap();
}

#[test]
fn https_without_tls_is_for_loopback_and_proxies_only() {
    let behind = "server_url: https://mesh.example.com\nlisten: '0.0.0.0:8080'\n";
    let found = mistakes(behind);
    let [only] = found.as_slice() else { panic!("{found:?}") };
    assert!(only.key == "tls" && only.message.contains("plain HTTP"), "{only}");
    assert!(only.hint.as_ref().is_some_and(|hint| hint.contains("proxies.addresses")), "{only}");
    for text in ["proxies: {}\n", "proxies: {addresses: []}\n"] {
        assert_eq!(keys(&format!("{behind}{text}")), ["tls"], "{text}");
    }
    let proxied = load(&format!("{behind}proxies: {{addresses: [192.0.2.7, '2001:db8::/64']}}\n")).unwrap();
    assert!(proxied.is_behind_proxies());
    assert_eq!(proxied.relay.unwrap().port, 443, "the relay is behind them too");
    load("server_url: https://mesh.example.com\nlisten: '127.0.0.1:8080'\n").unwrap();
    load("server_url: https://mesh.example.com\nlisten: '[::1]:8080'\n").unwrap();
    let whole = load(&format!("{behind}tls: {{cert_file: a, key_file: b}}\n")).unwrap();
    assert!(!whole.is_behind_proxies());
    let http = load("server_url: http://192.0.2.1:8080\nlisten: '0.0.0.0:8080'\n").unwrap();
    assert!(!http.is_behind_proxies(), "http says what it is");
}

#[test]
fn a_certificate_of_an_authority_needs_a_name_that_it_can_look_up() {
    let url = "server_url: https://mesh.example.com\nlisten: '[::]:443'\n";
    let config = load(&format!("{url}acme: {{}}\n")).unwrap();
    let acme = config.acme.clone().unwrap();
    assert!(
        config.has_tls() && acme.directory.contains("letsencrypt.org") && acme.names == ["mesh.example.com"]
    );
    let relayed = load(&format!("{url}acme: {{}}\nrelay: {{host: r.example.com}}\n")).unwrap();
    assert_eq!(relayed.acme.unwrap().names, ["mesh.example.com", "r.example.com"]);
    for (text, key) in [
        ("server_url: http://mesh.example.com\nacme: {}\n", "acme"),
        ("server_url: https://192.0.2.1\nacme: {}\n", "acme"),
        ("server_url: https://localhost\nacme: {}\n", "acme"),
        (&format!("{url}acme: {{}}\ntls: {{cert_file: a, key_file: b}}\n"), "acme"),
        (&format!("{url}acme: {{directory: 'http://ca.example'}}\n"), "acme.directory"),
        (&format!("{url}acme: {{email: me}}\n"), "acme.email"),
        (&format!("{url}acme: {{http_listen: '80'}}\n"), "acme.http_listen"),
    ] {
        assert_eq!(keys(text), [key], "{text}");
    }
}

#[test]
fn a_proxy_is_named_by_address_and_by_how_it_tells() {
    for wrong in ["0.0.0.0/0", "::/0", "mesh.example.com", "192.0.2.1:80", "192.0.2.0/33", "''"] {
        assert_eq!(keys(&format!("proxies: {{addresses: ['{wrong}']}}\n")), ["proxies.addresses"], "{wrong}");
    }
    assert_eq!(keys("proxies: {addresses: [192.0.2.1], header: x-real-ip}\n"), ["proxies.header"]);
    for header in ["x-forwarded-for", "forwarded", "proxy-protocol"] {
        let config = load(&format!("proxies: {{addresses: [192.0.2.9/24], header: {header}}}\n")).unwrap();
        assert_eq!(config.proxies.header.name(), header);
        assert!(config.proxies.has("192.0.2.1".parse().unwrap()), "a prefix is meant");
    }
}
