//! Tests of existence where content matters; for `files.non-empty`.

use super::{
    Text, joined,
    playbook::{Task, conditions, module, tasks},
    words::places,
    yaml::{Node, parse},
};
use crate::Verdict;

const ID: &str = "files.non-empty";
/// Parts of names of files that are worth nothing when they are empty.
const CONTENT: [&str; 14] = [
    "keys",
    ".key",
    "_key",
    "key.",
    ".pem",
    ".crt",
    ".db",
    "sqlite",
    "vault",
    "secret",
    "token",
    "passw",
    "credential",
    "cert",
];

/// Playbooks that take a file's being there for its being whole.
pub fn existence(texts: &[Text]) -> Verdict {
    joined(texts.iter().filter(|text| text.is_yaml()).flat_map(|text| {
        let roots = parse(&text.text).unwrap_or_default();
        in_file(&text.file, &text.text, &tasks(&roots))
    }))
}

fn in_file(file: &str, text: &str, tasks: &[Task<'_>]) -> Vec<Verdict> {
    let open: Vec<_> = super::lines(text, ID).map(|(n, _)| n).collect();
    let mut found = Vec::new();
    for task in tasks {
        found.extend(
            creates(file, task.node).filter(|(line, _)| open.contains(line)).map(|(_, verdict)| verdict),
        );
        let Some(path) = module(task.node, "stat").and_then(|stat| stat.get("path")).and_then(Node::text)
        else {
            continue;
        };
        let Some(name) = task.node.get("register").and_then(Node::text).filter(|_| matters(path)) else {
            continue;
        };
        for user in tasks {
            let Some((line, condition)) = only_exists(user, name).filter(|(line, _)| open.contains(line))
            else {
                continue;
            };
            let negated = condition.contains(&format!("not {name}.stat.exists"));
            let fix = match negated {
                true => format!("when: not {name}.stat.exists or {name}.stat.size == 0"),
                false => format!("when: {name}.stat.exists and {name}.stat.size > 0"),
            };
            found.push(
                Verdict::fail(format!(
                    "{file}:{line} asks whether {path} exists, not whether it holds something"
                ))
                .fix(fix)
                .at(file, line),
            );
        }
    }
    found
}

/// `creates: path` skips a task when the file is there, however empty.
fn creates<'a>(file: &'a str, task: &'a Node) -> impl Iterator<Item = (usize, Verdict)> + 'a {
    let modules = ["command", "shell", "script"].iter().filter_map(|name| module(task, name));
    let inside = modules.chain(task.get("args")).filter_map(|args| args.get("creates"));
    inside.filter_map(move |creates| {
        let path = creates.text().filter(|path| matters(path))?;
        let line = creates.line;
        let verdict =
            Verdict::warn(format!("{file}:{line} is skipped as soon as {path} exists, empty or not"))
                .fix(format!("stat {path} first, and use when: not f.stat.exists or f.stat.size == 0"))
                .at(file, line);
        Some((line, verdict))
    })
}

fn matters(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    CONTENT.iter().any(|part| path.contains(part))
}

/// The condition of a task that asks for the existence of `name` and for nothing of its content.
fn only_exists(task: &Task<'_>, name: &str) -> Option<(usize, String)> {
    let all = conditions(task.node, "when");
    let content = ["stat.size", "stat.checksum", "stat.isdir", "stat.mtime"];
    let looks = |condition: &String| {
        places(condition, name)
            .any(|rest| content.iter().any(|c| rest.trim_start_matches('.').starts_with(c)))
    };
    if all.iter().any(looks) {
        return None;
    }
    let asks = |condition: &&String| places(condition, name).any(|rest| rest.starts_with(".stat.exists"));
    let condition = all.iter().find(asks)?.clone();
    Some((task.node.get("when")?.line, condition))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn judged(when: &str) -> Verdict {
        let text = format!(
            "- stat:\n    path: /var/ossec/etc/client.keys\n  register: keys\n- command: agent-auth -m manager\n  when: {when}\n"
        );
        existence(&[Text { file: "wazuh.yml".into(), text }])
    }

    #[test]
    fn existence_alone_is_found_with_its_line_and_the_right_condition() {
        let verdict = judged("not keys.stat.exists");
        let worst = verdict.worst().unwrap();
        assert_eq!((worst.state, worst.place.as_ref().unwrap().line), (State::Fail, 5));
        assert_eq!(worst.fix.as_deref(), Some("when: not keys.stat.exists or keys.stat.size == 0"));
    }

    #[test]
    fn a_look_at_the_content_heals_it() {
        assert!(judged("not keys.stat.exists or keys.stat.size == 0").findings.is_empty());
        assert!(judged("other.stat.exists").findings.is_empty());
    }

    #[test]
    fn creates_is_a_test_of_existence_too() {
        let text = "- command: make-key\n  args:\n    creates: /etc/x/noise.key\n- command: a\n  args: {creates: /srv/done}\n";
        let verdict = existence(&[Text { file: "t.yml".into(), text: text.into() }]);
        assert_eq!((verdict.state(), verdict.findings.len()), (State::Warn, 1));
    }
}
