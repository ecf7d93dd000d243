//! `proxy.limits`: an nginx configuration in front of the server.

mod nginx;

use crate::Verdict;
use nginx::{Directive, parse};

/// Paths of connections that last, which nobody may count or buffer.
const LASTING: [&str; 3] = ["/ts2021", "/machine/", "/derp"];

/// Files of a proxy's configuration, name and text. `host` is the control host, if it is known.
pub fn limits(files: &[(String, String)], host: Option<&str>) -> Verdict {
    if files.is_empty() {
        return Verdict::skip("no proxy's configuration was named: --proxy-config FILE");
    }
    let each = files.iter().map(|(file, text)| match parse(text) {
        Err(e) => Verdict::unknown(format!("{file} cannot be read as an nginx configuration: {}", e.what))
            .at(file, e.line),
        Ok(tree) => in_file(file, &tree, host),
    });
    Verdict::all(each, || Verdict::unknown("nothing was read"))
}

fn in_file(file: &str, tree: &[Directive], host: Option<&str>) -> Verdict {
    let servers = all(tree, "server");
    let named = |server: &&&Directive| {
        let names = server.children.iter().filter(|d| d.name == "server_name").flat_map(|d| &d.words);
        let names: Vec<_> = names.collect();
        host.is_none_or(|host| names.is_empty() || names.iter().any(|name| name.as_str() == host))
    };
    let proxied = |server: &&&Directive| !all(&server.children, "proxy_pass").is_empty();
    let ours: Vec<_> = servers.iter().filter(named).filter(proxied).collect();
    let each = ours.iter().map(|server| in_server(file, tree, server));
    Verdict::all(each, || Verdict::skip(format!("{file} has no server with proxy_pass for the control host")))
}

fn in_server(file: &str, tree: &[Directive], server: &Directive) -> Verdict {
    let outer: Vec<&Directive> = tree
        .iter()
        .flat_map(|d| if d.name == "http" { &d.children[..] } else { std::slice::from_ref(d) })
        .collect();
    let mut verdict = Verdict::default();
    for path in LASTING {
        let location = serves(server, path);
        let place = location.unwrap_or(server);
        let inner = location.map_or(&[][..], |l| &l.children);
        let scope = |name: &str| {
            let found = inner.iter().find(|d| d.name == name);
            found
                .or_else(|| server.children.iter().find(|d| d.name == name))
                .or_else(|| outer.iter().copied().find(|d| d.name == name))
        };
        if let Some(limit) = scope("limit_conn") {
            let new = once(&verdict, limit_conn(limit, path).at(file, limit.line));
            verdict = verdict.and(new);
        }
        if let Some(limit) = scope("limit_req") {
            let new = once(&verdict, limit_req(limit, path).at(file, limit.line));
            verdict = verdict.and(new);
        }
        if !passes_upgrade(&scope, inner, server) {
            let upgrade = Verdict::fail(format!("upgrades are not passed on for {path}"))
                .fix("proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;")
                .at(file, place.line);
            let new = once(&verdict, upgrade);
            verdict = verdict.and(new);
        }
    }
    if verdict.findings.is_empty() {
        return Verdict::pass(format!("{file} passes upgrades on and counts no connection that lasts"))
            .at(file, server.line);
    }
    verdict
}

/// The same line is told once, for the first path that it hits.
fn once(known: &Verdict, new: Verdict) -> Verdict {
    let place = new.findings.first().and_then(|f| f.place.clone());
    let kind = |detail: &str| detail.split(' ').next().unwrap_or_default().to_owned();
    let same = known
        .findings
        .iter()
        .any(|f| f.place == place && new.findings.iter().any(|n| kind(&n.detail) == kind(&f.detail)));
    if same { Verdict::default() } else { new }
}

fn limit_conn(limit: &Directive, path: &str) -> Verdict {
    let many = limit.words.last().map_or("?", String::as_str);
    Verdict::fail(format!(
        "limit_conn {many} counts {path}: each device holds one or two connections, so an office behind one address is refused from device {} on",
        many.parse::<u64>().map_or_else(|_| many.to_owned(), |n| (n + 1).to_string()),
    ))
    .fix("location ~ ^/(ts2021|machine/|derp) { … }   # without limit_conn")
}

fn limit_req(limit: &Directive, path: &str) -> Verdict {
    Verdict::warn(format!(
        "limit_req ({}) slows {path}: after a restart all devices of an office come back at once",
        limit.words.join(" ")
    ))
    .fix("location ~ ^/(ts2021|machine/|derp|key) { … }   # without limit_req")
}

fn passes_upgrade<'a>(
    scope: &dyn Fn(&str) -> Option<&'a Directive>,
    inner: &[Directive],
    server: &Directive,
) -> bool {
    let version = scope("proxy_http_version").is_some_and(|d| d.words.first().is_some_and(|w| w == "1.1"));
    // nginx takes the headers of the innermost place that sets any.
    let headers = |place: &[Directive]| -> Vec<String> {
        place
            .iter()
            .filter(|d| d.name == "proxy_set_header")
            .filter_map(|d| d.words.first())
            .map(|w| w.to_ascii_lowercase())
            .collect()
    };
    let inside = headers(inner);
    let names = if inside.is_empty() { headers(&server.children) } else { inside };
    version && names.iter().any(|n| n == "upgrade") && names.iter().any(|n| n == "connection")
}

/// The location that nginx would choose, as far as prefixes and simple patterns say.
fn serves<'a>(server: &'a Directive, path: &str) -> Option<&'a Directive> {
    let locations = server.children.iter().filter(|d| d.name == "location");
    let pattern = |d: &&Directive| match &d.words[..] {
        [kind, pattern] if kind.starts_with('~') => matches(pattern, path),
        _ => false,
    };
    let prefix = |d: &&Directive| match &d.words[..] {
        [prefix] => path.starts_with(prefix.as_str()),
        [kind, prefix] if kind == "^~" => path.starts_with(prefix.as_str()),
        [kind, exact] if kind == "=" => path == exact,
        _ => false,
    };
    let longest = locations.clone().filter(prefix).max_by_key(|d| d.words.last().map_or(0, String::len));
    locations.clone().find(pattern).or(longest)
}

/// `^/(a|b/)`: an anchor, then alternatives. Other patterns are taken to match nothing.
fn matches(pattern: &str, path: &str) -> bool {
    let Some(rest) = pattern.strip_prefix('^') else { return false };
    match rest.split_once('(') {
        None => path.starts_with(rest),
        Some((head, tail)) => {
            let (inside, _) = tail.split_once(')').unwrap_or((tail, ""));
            inside.split('|').any(|one| path.starts_with(&format!("{head}{one}")))
        }
    }
}

fn all<'a>(tree: &'a [Directive], name: &str) -> Vec<&'a Directive> {
    let mut found = Vec::new();
    for directive in tree {
        if directive.name == name {
            found.push(directive);
        }
        found.extend(all(&directive.children, name));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    const UPGRADE: &str = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;";

    fn judged(inside: &str) -> Verdict {
        let text = format!("server {{\n  server_name vpn.example;\n{inside}\n}}\n");
        limits(&[("site.conf".into(), text)], Some("vpn.example"))
    }

    #[test]
    fn a_limit_of_connections_on_the_control_host_fails_with_its_line() {
        let verdict = judged(&format!(
            "  limit_conn addr 10;\n  location / {{ proxy_pass http://127.0.0.1:8085; {UPGRADE} }}"
        ));
        assert_eq!(verdict.state(), State::Fail);
        let worst = verdict.worst().unwrap();
        assert_eq!(worst.place.as_ref().unwrap().line, 3);
        assert!(worst.detail.contains("from device 11 on"), "{}", worst.detail);
        assert_eq!(verdict.findings.len(), 1, "{verdict:?}");
    }

    #[test]
    fn upgrades_and_no_limits_pass() {
        let verdict = judged(&format!("  location / {{ proxy_pass http://127.0.0.1:8085; {UPGRADE} }}"));
        assert_eq!(verdict.state(), State::Pass, "{verdict:?}");
        let rate = judged(&format!(
            "  limit_req zone=general burst=20;\n  location / {{ proxy_pass http://x; {UPGRADE} }}"
        ));
        assert_eq!(rate.state(), State::Warn);
    }

    #[test]
    fn without_the_headers_of_an_upgrade_it_fails() {
        assert_eq!(judged("  location / { proxy_pass http://127.0.0.1:8085; }").state(), State::Fail);
        let hidden =
            format!("  {UPGRADE}\n  location / {{ proxy_pass http://x; proxy_set_header Host $host; }}");
        assert_eq!(judged(&hidden).state(), State::Fail, "headers inside hide those outside");
    }

    #[test]
    fn a_location_of_its_own_is_exempt() {
        let verdict = judged(&format!(
            "  location ~ ^/(ts2021|machine/|derp) {{ proxy_pass http://x; {UPGRADE} }}\n  location / {{ limit_conn addr 10; proxy_pass http://x; }}"
        ));
        assert_eq!(verdict.state(), State::Pass, "{verdict:?}");
    }

    #[test]
    fn what_is_no_configuration_is_unknown_and_none_is_skipped() {
        assert_eq!(judged("  location / {").state(), State::Unknown);
        assert_eq!(limits(&[], None).state(), State::Skip);
        assert_eq!(limits(&[("x".into(), "events {}".into())], None).state(), State::Skip);
    }
}
