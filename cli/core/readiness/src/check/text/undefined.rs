//! `playbook.undefined-when-fresh`: a variable that a skipped task would have set, used where the task may be skipped.

use std::collections::BTreeSet;

use super::{
    Text,
    playbook::{Task, conditions, module, tasks, variables},
    words::{names, places},
    yaml::{Node, parse},
};
use crate::Verdict;

const ID: &str = "playbook.undefined-when-fresh";

/// A variable that only some runs define.
struct Sometimes {
    name: String,
    line: usize,
    when: Vec<String>,
    /// `register` defines it even when the task is skipped, without what the task would have brought.
    registered: bool,
    /// Which of the file's tasks.
    task: usize,
}

/// Parts of a registered result that a skipped task has too.
const ALWAYS_THERE: [&str; 5] = ["skipped", "changed", "failed", "skip_reason", "msg"];

/// Playbooks, task files and files of variables, together.
pub fn undefined_when_fresh(texts: &[Text]) -> Verdict {
    let yaml: Vec<_> = texts.iter().filter(|text| text.is_yaml()).collect();
    if yaml.is_empty() {
        return Verdict::skip("no playbook was named: --playbooks DIR");
    }
    let parsed: Vec<_> = yaml.iter().map(|text| (&text.file, &text.text, parse(&text.text))).collect();
    let known: BTreeSet<String> =
        parsed.iter().filter_map(|(.., roots)| roots.as_ref().ok()).flat_map(|r| always(r)).collect();
    let mut verdict = Verdict::default();
    let mut many = 0;
    for (file, text, roots) in &parsed {
        match roots {
            Err(e) => {
                verdict = verdict.and(
                    Verdict::unknown(format!("{file}:{} is no YAML: {}", e.line, e.what)).at(file, e.line),
                )
            }
            Ok(roots) => {
                let tasks = tasks(roots);
                many += tasks.len();
                for found in in_file(file, text, &tasks, &known) {
                    verdict = verdict.and(found);
                }
            }
        }
    }
    if verdict.findings.is_empty() {
        verdict = Verdict::pass(format!("{many} tasks use nothing that a fresh host might not have"));
    }
    verdict.seen(
        "variables set under a condition",
        format!("{} files", parsed.len()),
        format!("{many} tasks read"),
    )
}

/// What every run defines.
fn always(roots: &[Node]) -> Vec<String> {
    let mut names = variables(roots);
    for task in tasks(roots).iter().filter(|task| task.when.is_empty() || is_fallback(task)) {
        names.extend(facts(task.node).map(|(name, _)| name.to_owned()));
        names.extend(
            task.node
                .get("register")
                .and_then(Node::text)
                .map(str::to_owned)
                .filter(|_| task.when.is_empty()),
        );
    }
    names
}

/// A task that sets a variable because nobody did.
fn is_fallback(task: &Task<'_>) -> bool {
    facts(task.node).any(|(name, _)| {
        let unset = [format!("{name} is not defined"), format!("{name} is undefined")];
        task.when.iter().any(|condition| unset.contains(condition))
    })
}

fn facts(task: &Node) -> impl Iterator<Item = (&str, usize)> {
    let pairs = module(task, "set_fact").map(Node::pairs).unwrap_or_default();
    pairs.iter().filter_map(|(key, _)| Some((key.text()?, key.line))).filter(|(name, _)| *name != "cacheable")
}

fn in_file(file: &str, text: &str, tasks: &[Task<'_>], known: &BTreeSet<String>) -> Vec<Verdict> {
    let excused: BTreeSet<_> = super::lines(text, ID).map(|(n, _)| n).collect();
    let mut found = Vec::new();
    let mut told = BTreeSet::new();
    for variable in sometimes(tasks).iter().filter(|v| v.registered || !known.contains(&v.name)) {
        for task in tasks.iter().skip(variable.task + 1) {
            let Some(line) = unguarded(variable, task) else { continue };
            if excused.contains(&line) && told.insert((line, variable.name.clone())) {
                found.push(complaint(file, variable, line));
            }
        }
    }
    found
}

fn sometimes(tasks: &[Task<'_>]) -> Vec<Sometimes> {
    let mut found = Vec::new();
    let mut whole = BTreeSet::new();
    for (number, task) in tasks.iter().enumerate() {
        let register = task.node.get("register").and_then(Node::text).map(|name| (name, task.node.line));
        if task.when.is_empty() {
            whole.extend(register.map(|(name, _)| name.to_owned()));
            continue;
        }
        let sometimes = |(name, line): (&str, usize), registered| Sometimes {
            name: name.to_owned(),
            line,
            when: task.when.clone(),
            registered,
            task: number,
        };
        found.extend(facts(task.node).map(|fact| sometimes(fact, false)));
        found.extend(register.map(|name| sometimes(name, true)));
    }
    found.retain(|v| !v.registered || !whole.contains(&v.name));
    found
}

/// The line in which a task needs a variable that may not be there.
fn unguarded(variable: &Sometimes, task: &Task<'_>) -> Option<usize> {
    let name = &variable.name;
    let guarded = task.when.iter().any(|condition| guards(condition, name));
    let same = variable.when.iter().all(|condition| task.when.contains(condition));
    let replaced = facts(task.node).any(|(fact, _)| fact == name) && task.when.is_empty();
    if guarded || same || replaced {
        return None;
    }
    let bare = ["when", "until", "changed_when", "failed_when", "that"];
    let mut scalars = Vec::new();
    task.node.scalars(&mut scalars);
    let conditions: Vec<_> = bare.iter().flat_map(|key| conditions(task.node, key)).collect();
    let loops = [task.node.get("loop"), task.node.get("with_items")];
    scalars.into_iter().find_map(|(line, text)| {
        let tidy = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_bare = conditions.contains(&tidy) || loops.iter().flatten().any(|l| l.text() == Some(text));
        let expressions = if is_bare { vec![tidy.as_str()] } else { jinja(&tidy) };
        let needs = expressions.iter().any(|expression| needs(expression, variable));
        needs.then_some(line)
    })
}

/// What stands between the brackets of Jinja.
fn jinja(text: &str) -> Vec<&str> {
    let within = |open: &'static str, close: &'static str| {
        text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
    };
    within("{{", "}}").chain(within("{%", "%}")).collect()
}

/// Whether the condition says that the variable is there, or that its task ran.
fn guards(condition: &str, name: &str) -> bool {
    places(condition, name).any(|rest| {
        let rest = rest.trim_start();
        ["is defined", "is not skipped", "is succeeded", "is success", "is changed"]
            .iter()
            .any(|w| rest.starts_with(w))
    }) || condition.contains(&format!("not {name} is skipped"))
}

fn needs(expression: &str, variable: &Sometimes) -> bool {
    let name = &variable.name;
    if !names(expression, name) || guards(expression, name) {
        return false;
    }
    places(expression, name).any(|rest| {
        let rest = rest.trim_start();
        let tested = rest.starts_with("is ");
        // A default anywhere behind it stands for it, whatever filters come between.
        let defaulted = rest.contains("default(") || rest.contains("| d(") || rest.contains("|d(");
        let part = rest
            .strip_prefix('.')
            .map(|p| p.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default());
        let harmless = variable.registered && part.is_none_or(|part| ALWAYS_THERE.contains(&part));
        !tested && !defaulted && !harmless
    })
}

fn complaint(file: &str, variable: &Sometimes, line: usize) -> Verdict {
    let Sometimes { name, when, .. } = variable;
    let verb = if variable.registered { "fills" } else { "sets" };
    let guard =
        if variable.registered { format!("{name} is not skipped") } else { format!("{name} is defined") };
    Verdict::fail(format!(
        "{file}:{line} uses {name}, which line {} {verb} only when {}",
        variable.line,
        when.join(" and ")
    ))
    .fix(format!("when: {guard}"))
    .at(file, line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    const SET: &str = "\
- hosts: all
  tasks:
    - name: who is there
      command: headscale users list -o json
      register: users
    - name: remember the first
      set_fact:
        default_user_id: \"{{ (users.stdout | from_json)[0].id }}\"
      when: (users.stdout | from_json) | length > 0
";

    fn judged(more: &str) -> (State, Option<usize>) {
        let text = Text { file: "site.yml".into(), text: format!("{SET}{more}") };
        let verdict = undefined_when_fresh(&[text]);
        let line = verdict.worst().and_then(|f| f.place.as_ref()).map(|p| p.line);
        (verdict.state(), line)
    }

    #[test]
    fn a_use_of_what_a_skipped_task_would_have_set_is_found_with_its_line() {
        let bare = "    - name: make a key\n      command: headscale preauthkeys create --user {{ default_user_id }}\n";
        assert_eq!(judged(bare), (State::Fail, Some(11)));
        let in_a_condition = "    - debug: {msg: x}\n      when: default_user_id != ''\n";
        assert_eq!(judged(in_a_condition), (State::Fail, Some(11)));
    }

    #[test]
    fn a_guard_a_default_or_the_same_condition_heals_it() {
        for healed in [
            "    - command: x {{ default_user_id }}\n      when: default_user_id is defined\n",
            "    - command: x {{ default_user_id }}\n      when: [default_user_id is defined, other]\n",
            "    - command: x {{ default_user_id | default('1') }}\n",
            "    - command: x {{ default_user_id }}\n      when: (users.stdout | from_json) | length > 0\n",
            "    - block:\n        - command: x {{ default_user_id }}\n      when: default_user_id is defined\n",
            "    - set_fact: {default_user_id: 1}\n      when: default_user_id is not defined\n    - command: x {{ default_user_id }}\n",
            "    - command: x {{ other_default_user_id }}\n",
            "    - command: x {{ default_user_id }} # meshctl:allow playbook.undefined-when-fresh\n",
        ] {
            assert_eq!(judged(healed).0, State::Pass, "{healed}");
        }
    }

    #[test]
    fn what_a_skipped_task_registers_has_no_output() {
        let text = |then: &str| {
            let text =
                format!("- command: a\n  register: made\n  when: x\n- debug: {{msg: '{{{{ {then} }}}}'}}\n");
            undefined_when_fresh(&[Text { file: "tasks.yml".into(), text }]).state()
        };
        assert_eq!(text("made.stdout"), State::Fail);
        assert_eq!(text("made.changed"), State::Pass);
        assert_eq!(text("made.stdout | default(0)"), State::Pass);
        assert_eq!(text("made is skipped"), State::Pass);
    }

    #[test]
    fn a_default_in_another_file_is_a_definition() {
        let site = Text {
            file: "site.yml".into(),
            text: format!("{SET}    - command: x {{{{ default_user_id }}}}\n"),
        };
        let defaults = Text { file: "defaults/main.yml".into(), text: "default_user_id: 1\n".into() };
        assert_eq!(undefined_when_fresh(&[site, defaults]).state(), State::Pass);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_unknown_and_none_is_skipped() {
        let broken = Text { file: "site.yml".into(), text: "- a: [1\n".into() };
        assert_eq!(undefined_when_fresh(&[broken]).state(), State::Unknown);
        assert_eq!(undefined_when_fresh(&[]).state(), State::Skip);
    }
}
