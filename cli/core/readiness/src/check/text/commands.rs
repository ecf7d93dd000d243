//! Commands that are gone, copies of live databases, and keys without tags.

use super::{Text, joined, lines, words};
use crate::Verdict;

const DEAD: [(&[&str], &str, &str); 7] = [
    (&["headscale", "routes", "list"], "`headscale routes` is gone", "meshctl route list"),
    (&["headscale", "routes", "enable"], "`headscale routes` is gone", "meshctl route approve NODE PREFIX"),
    (&["headscale", "derp", "list"], "`headscale derp` never existed", "meshctl server status"),
    (&["headscale", "nodes", "routes"], "`headscale nodes routes` is gone", "meshctl route list"),
    (
        &["headscale", "preauthkeys", "expire"],
        "`headscale preauthkeys expire` takes another form in each version",
        "meshctl key revoke ID",
    ),
    (&["headscale", "namespaces"], "`headscale namespaces` is gone", "meshctl user list"),
    (&["headscale", "debug", "create-node"], "`headscale debug` is gone", "meshctl node list"),
];

/// `docs.commands`.
pub fn dead_commands(texts: &[Text]) -> Verdict {
    joined(texts.iter().flat_map(|text| {
        lines(&text.text, "docs.commands").filter_map(|(number, line)| {
            let (what, fix) = dead(line)?;
            let detail = format!("{}:{number}: {what}", text.file);
            Some(Verdict::fail(detail).fix(fix).at(&text.file, number))
        })
    }))
}

fn dead(line: &str) -> Option<(String, &'static str)> {
    let words = words::words(line);
    let gone = DEAD.iter().find(|(command, ..)| !words::behind(&words, command).is_empty());
    if let Some((_, what, fix)) = gone {
        return Some(((*what).to_owned(), fix));
    }
    if line.trim_start().starts_with("ip_prefixes:") {
        return Some((
            "`ip_prefixes` was removed, and some readers skip it in silence".to_owned(),
            "prefixes: {v4: 100.64.0.0/10, v6: fd7a:115c:a1e0::/48}",
        ));
    }
    let copies = ["tar", "cp", "scp", "rsync"].iter().any(|tool| !words::behind(&words, &[tool]).is_empty());
    let live = ["/var/lib/headscale", "/var/lib/meshctl", "db.sqlite", "mesh.db"];
    if copies && live.iter().any(|path| line.contains(path)) {
        return Some((
            "a copy of a running database can be torn".to_owned(),
            "systemctl stop meshctl   # before the copy",
        ));
    }
    None
}

/// Lines that make pre-auth keys without tags; for `policy.no-legacy-keys`.
pub fn untagged_keys(texts: &[Text]) -> Verdict {
    joined(texts.iter().flat_map(|text| {
        let all: Vec<_> = text.text.lines().collect();
        lines(&text.text, "policy.no-legacy-keys").filter_map(move |(number, line)| {
            let mut command = line.to_owned();
            for next in all[number..].iter().take(CONTINUED) {
                if !goes_on(&command, next) {
                    break;
                }
                command = format!("{} {}", command.trim_end().trim_end_matches('\\'), next.trim());
            }
            let words = words::words(&command);
            let creates = |noun| !words::behind(&words, &["headscale", noun, "create"]).is_empty();
            let untagged = !words.iter().any(|w| w.starts_with("--tags") || w.starts_with("--acl-tags"));
            let made = (creates("preauthkeys") || creates("preauthkey")) && untagged;
            made.then(|| {
                Verdict::fail(format!(
                    "{}:{number} makes a pre-auth key without tags: its devices reach nothing",
                    text.file
                ))
                .fix("meshctl key create --role ROLE --out FILE")
                .at(&text.file, number)
            })
        })
    }))
}

/// A command is followed over so many lines.
const CONTINUED: usize = 6;

fn goes_on(command: &str, next: &str) -> bool {
    command.trim_end().ends_with('\\') || next.trim_start().starts_with("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(verdict: &Verdict) -> Option<usize> {
        verdict.worst().map(|f| f.place.as_ref().unwrap().line)
    }
    fn text(line: &str) -> [Text; 1] {
        [Text { file: "ops.md".into(), text: format!("\n{line}\n") }]
    }

    #[test]
    fn commands_that_are_gone_are_found() {
        for line in [
            "$ headscale routes list",
            "docker compose exec headscale headscale derp list",
            "  ip_prefixes:",
            "ssh root@x \"tar -czf /tmp/b.tgz /var/lib/headscale\"",
        ] {
            assert_eq!(line_of(&dead_commands(&text(line))), Some(2), "{line}");
        }
        for line in ["headscale nodes list-routes", "tar -czf logs.tgz /var/log", "headscale nodes list"] {
            assert_eq!(line_of(&dead_commands(&text(line))), None, "{line}");
        }
    }

    #[test]
    fn a_key_without_tags_is_found_over_several_lines() {
        for line in [
            "headscale preauthkeys create --user 1 --reusable",
            "command: docker exec hs headscale preauthkeys create \\\n  --user 1",
        ] {
            assert_eq!(line_of(&untagged_keys(&text(line))), Some(2), "{line}");
        }
        for line in [
            "headscale preauthkeys create --user 1 --tags tag:server",
            "headscale preauthkeys create --user 1 \\\n  --reusable \\\n  --tags=tag:server",
            "headscale preauthkeys list",
        ] {
            assert_eq!(line_of(&untagged_keys(&text(line))), None, "{line}");
        }
    }
}
