//! File and flags to a [`Config`]; flags win. All mistakes are returned at once.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use http::Uri;

use super::{Config, File, Flags, VerifyConfig};
use crate::config::{self, Check, Mistake, MonitorConfig, RelayConfig, acme, clash};

const REGIONS: std::ops::RangeInclusive<u16> = 900..=999;
/// 900 is what a control server's own relay is called.
const REGION: u16 = 901;
const EVERY_SECONDS: u64 = 30;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3600);

/// Checks everything, looks at no file.
pub fn resolve(file: &File, flags: &Flags) -> Result<Config, Vec<Mistake>> {
    let place = flags.config_path.as_deref().map_or("flags".into(), |path| path.display().to_string());
    let mut check = Check::of(place);
    let listen = flags.listen.as_deref().or(file.listen.as_deref()).unwrap_or("[::]:443");
    let listen = check.address("listen", listen);
    let stun = match flags.stun.as_deref().or(file.stun.as_deref()) {
        Some("off") => None,
        Some(text) => Some(check.address("stun", text)),
        None => Some(SocketAddr::new(listen.ip(), 3478)),
    };
    let host = hostname(&mut check, flags.hostname.as_deref().or(file.hostname.as_deref()));
    let region = region(&mut check, file, &host, (listen, stun));
    let secured = config::File { tls: file.tls.clone(), acme: file.acme.clone(), ..config::File::default() };
    let acme = acme(&secured, (true, &host), &mut |key, message, hint| check.mistake(key, message, hint));
    let tls = check.tls(&secured);
    let verify = verify(&mut check, file, flags);
    let monitor = monitor(&mut check, file, listen);
    let data_dir: Option<PathBuf> = flags.data_dir.clone().or_else(|| file.data_dir.clone());
    if !check.mistakes.is_empty() {
        return Err(check.mistakes);
    }
    let data_dir = data_dir.unwrap_or_else(|| "relay-data".into());
    Ok(Config { listen, region, data_dir, tls, acme, verify, monitor })
}

fn hostname(check: &mut Check, text: Option<&str>) -> String {
    let example = "what clients are told, for example relay.example.com";
    let Some(text) = text else {
        check.mistake("hostname", "is missing", example);
        return String::new();
    };
    let host = text.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    let address = host.parse::<IpAddr>().ok();
    let label = |l: &str| {
        let plain = l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        plain && !l.is_empty() && l.len() <= 63 && !l.starts_with('-') && !l.ends_with('-')
    };
    if address.is_some_and(|ip| ip.is_unspecified()) {
        check.mistake("hostname", "clients cannot connect to the unspecified address", example);
    } else if address.is_none() && (host.len() > 253 || !host.split('.').all(label)) {
        check.mistake("hostname", format!("{text:?} is no host name and no address"), example);
    }
    host
}

fn region(
    check: &mut Check,
    file: &File,
    host: &str,
    (listen, stun): (SocketAddr, Option<SocketAddr>),
) -> RelayConfig {
    let region = file.region.clone().unwrap_or_default();
    let id = region.id.unwrap_or(REGION);
    if !REGIONS.contains(&id) {
        let hint = "900 to 999 are for relays of one's own, another one for each";
        check.mistake("region.id", format!("{id} is a region of somebody else"), hint);
    }
    let name = region.name.unwrap_or_else(|| format!("Relay {host}"));
    RelayConfig {
        listen: Some(listen),
        port: file.port.unwrap_or(listen.port()),
        stun,
        host: host.to_owned(),
        region_id: id,
        region_code: wire::plain(&region.code.unwrap_or_else(|| format!("relay{id}"))),
        region_name: wire::plain(&name),
    }
}

fn verify(check: &mut Check, file: &File, flags: &Flags) -> Option<VerifyConfig> {
    let every = check.duration("verify_every", file.verify_every.as_deref(), EVERY_SECONDS);
    if !(SHORTEST..=LONGEST).contains(&every) && !check.mistakes.iter().any(|m| m.key == "verify_every") {
        check.mistake("verify_every", "is out of bounds", "1s to 60m");
    }
    let anyone = flags.allow_anyone || file.allow_anyone == Some(true);
    let text = match flags.verify.as_ref().or(file.verify.as_ref()) {
        None if anyone => return None,
        None => {
            let hint = "URL of the control server, for example https://mesh.example.com; \
                        a relay for everybody must be asked for: allow_anyone: true";
            check.mistake("verify", "is missing", hint);
            return None;
        }
        Some(_) if anyone => {
            check.mistake("allow_anyone", "there is `verify`, too", "one of them");
            return None;
        }
        Some(text) => text,
    };
    let url = verify_url(check, text, file.verify_plain_http == Some(true));
    Some(VerifyConfig { url, ca_file: file.verify_ca_file.clone(), every })
}

/// Where questions go.
fn verify_url(check: &mut Check, text: &str, plain_http: bool) -> String {
    let uri = text.parse::<Uri>().unwrap_or_default();
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let example = "for example https://mesh.example.com";
    match uri.scheme_str() {
        _ if host.is_empty() || uri.query().is_some() || text.contains(['@', '#']) => {
            check.mistake("verify", format!("{text:?} is no URL of a control server"), example);
        }
        Some("https") => {}
        Some("http") if here || plain_http => {}
        Some("http") => check.mistake(
            "verify",
            "over plain HTTP somebody in between could let strangers in",
            "an https URL; where the way is safe without: verify_plain_http: true",
        ),
        _ => check.mistake("verify", format!("{text:?} is neither http nor https"), example),
    }
    if !matches!(uri.path(), "" | "/" | "/verify") {
        check.mistake("verify", format!("{text:?} has a path"), example);
    }
    format!("{}/verify", text.trim_end_matches('/').trim_end_matches("/verify"))
}

fn monitor(check: &mut Check, file: &File, listen: SocketAddr) -> Option<MonitorConfig> {
    let text = file.admin.as_ref().and_then(|admin| admin.listen.as_deref());
    let at = match text {
        Some("off") => return None,
        Some(text) => check.address("admin.listen", text),
        None => SocketAddr::from(([127, 0, 0, 1], 9091)),
    };
    let chosen = text.is_some();
    if chosen && clash(at, listen) {
        let message = format!("the relay itself listens on {listen}");
        check.mistake("admin.listen", message, "choose another port");
    }
    (chosen || !clash(at, listen)).then_some(MonitorConfig { listen: at, chosen })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn resolved(text: &str) -> Result<Config, Vec<String>> {
        let path = Path::new("relay.yaml");
        let flags = Flags { config_path: Some(path.to_owned()), ..Flags::default() };
        let config = File::parse(path, text).and_then(|file| resolve(&file, &flags));
        config.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn two_flags_are_a_relay() {
        let flags = Flags {
            hostname: Some("relay.example.com".into()),
            verify: Some("https://mesh.example.com/".into()),
            ..Flags::default()
        };
        let config = resolve(&File::default(), &flags).unwrap();
        assert_eq!(config.verify.unwrap().url, "https://mesh.example.com/verify");
        assert_eq!((config.region.host.as_str(), config.region.port), ("relay.example.com", 443));
        assert_eq!((config.region.region_id, config.region.stun.unwrap().port()), (901, 3478));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let found = resolved(
            "hostnam: a\nlisten: nowhere\nregion: {id: 7}\nverify: http://mesh.example.com\n\
             verify_every: 1d\nstun: x\ntls: {cert_file: a}\nadmin: {listen: y}\n",
        )
        .unwrap_err();
        assert!(found[0].contains("hostnam: unknown key (did you mean hostname?)"), "{found:#?}");
        for key in [
            "hostname",
            "listen",
            "region.id",
            "verify",
            "verify_every",
            "stun",
            "tls.key_file",
            "admin.listen",
        ] {
            let named = found.iter().filter(|m| m.starts_with(&format!("relay.yaml: {key}: "))).count();
            assert_eq!(named, 1, "{key} in {found:#?}");
        }
    }

    #[test]
    fn nobody_is_let_in_by_leaving_something_out() {
        let found = resolved("hostname: relay.example.com\n").unwrap_err();
        assert!(found[0].starts_with("relay.yaml: verify: is missing"), "{found:?}");
        assert!(resolved("hostname: a.example\nallow_anyone: true\n").unwrap().verify.is_none());
        let both = "hostname: a.example\nallow_anyone: true\nverify: https://b.example\n";
        assert!(resolved(both).unwrap_err()[0].contains("allow_anyone"));
        let plain = |extra: &str| resolved(&format!("hostname: a.example\n{extra}\n"));
        assert!(plain("verify: http://127.0.0.1:8080").is_ok());
        assert!(plain("verify: http://10.0.0.1:8080").is_err());
        assert!(plain("verify: http://10.0.0.1:8080\nverify_plain_http: true").is_ok());
        for bad in
            ["mesh.example.com", "https://", "https://a.example/x", "https://u@a.example", "ftp://a.example"]
        {
            assert!(plain(&format!("verify: {bad}")).is_err(), "{bad}");
        }
    }
}
