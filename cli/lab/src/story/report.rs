//! What came out, as values, as JUnit, and the page of all stories.

use std::fmt::Write;

use anyhow::Result;
use serde::Serialize;

use super::picture::Path;
use super::spec::{FRESH_HOSTS, ITEMS};
use super::{Measure, Story, Verdict, all};

/// How a story ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Passed,
    Failed,
    NotRun,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "pass",
            Self::Failed => "FAIL",
            Self::NotRun => "not run",
        }
    }
}

/// One story, told or not.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub id: &'static str,
    pub title: &'static str,
    pub state: State,
    pub seconds: f64,
    pub proves: &'static [&'static str],
    pub measures: Vec<Measure>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// All stories of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub lab: String,
    pub passed: bool,
    pub seconds: f64,
    pub stories: Vec<Outcome>,
    pub criteria: Vec<Criterion>,
    pub paths: Vec<Path>,
}

/// A success criterion that the stories of a run are about: missed if any of them missed it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Criterion {
    pub criterion: &'static str,
    pub wanted: &'static str,
    pub verdict: Verdict,
    pub found: String,
}

impl Outcome {
    pub(super) fn new(story: &Story, told: Result<()>, measures: Vec<Measure>, seconds: f64) -> Self {
        let detail = told.err().map(|why| format!("{why:#}"));
        let state = if detail.is_some() { State::Failed } else { State::Passed };
        Self { state, seconds, measures, detail, ..Self::not_run(story) }
    }

    pub(super) fn not_run(story: &Story) -> Self {
        let Story { id, title, proves, .. } = story;
        Self { id, title, proves, state: State::NotRun, seconds: 0.0, measures: Vec::new(), detail: None }
    }
}

impl Report {
    pub(super) fn new(lab: String, stories: Vec<Outcome>, paths: Vec<Path>, seconds: f64) -> Self {
        let passed = stories.iter().all(|story| story.state == State::Passed);
        let criteria = criteria(&stories);
        Self { lab, passed, seconds, stories, criteria, paths }
    }
}

fn criteria(stories: &[Outcome]) -> Vec<Criterion> {
    let told = |number: &&str| stories.iter().any(|story| story.proves.contains(number));
    let numbers = ITEMS.iter().filter(|(number, _)| number.starts_with("SC-") && told(number));
    numbers
        .map(|(criterion, wanted)| {
            let all: Vec<&Measure> =
                stories.iter().flat_map(|s| &s.measures).filter(|m| m.criterion == *criterion).collect();
            let verdict = [Verdict::Missed, Verdict::NotMeasured, Verdict::Met]
                .into_iter()
                .find(|verdict| all.iter().any(|m| m.verdict == *verdict));
            let found: Vec<&str> = all.iter().map(|m| m.found.as_str()).collect();
            let found = if found.is_empty() { "no story measured it".to_owned() } else { found.join("; ") };
            Criterion { criterion, wanted, verdict: verdict.unwrap_or(Verdict::NotMeasured), found }
        })
        .collect()
}

/// The report as JUnit: a case per story, and one per criterion.
pub fn junit(report: &Report) -> String {
    let mut cases = String::new();
    for story in &report.stories {
        let head =
            format!(r#"  <testcase classname="story" name="{}" time="{:.3}""#, story.id, story.seconds);
        let detail = escaped(story.detail.as_deref().unwrap_or_default());
        let _ = match story.state {
            State::Passed => writeln!(cases, "{head}/>"),
            State::Failed => writeln!(cases, "{head}><failure message=\"{detail}\"/></testcase>"),
            State::NotRun => writeln!(cases, "{head}><skipped message=\"not run\"/></testcase>"),
        };
    }
    for criterion in &report.criteria {
        let head = format!(r#"  <testcase classname="criterion" name="{}""#, criterion.criterion);
        let found = escaped(&criterion.found);
        let _ = match criterion.verdict {
            Verdict::Met => writeln!(cases, "{head}/>"),
            Verdict::Missed => writeln!(cases, "{head}><failure message=\"{found}\"/></testcase>"),
            Verdict::NotMeasured => writeln!(cases, "{head}><skipped message=\"{found}\"/></testcase>"),
        };
    }
    let count = |tag: &str| cases.matches(tag).count();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"meshctl lab\" tests=\"{}\" failures=\"{}\" \
         skipped=\"{}\" time=\"{:.3}\">\n{cases}</testsuite>\n",
        count("<testcase"),
        count("<failure"),
        count("<skipped"),
        report.seconds
    )
}

/// Text that XML takes in an attribute.
pub(super) fn escaped(text: &str) -> String {
    let one = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\n' | '\t' => " ".to_owned(),
        c if c.is_control() => char::REPLACEMENT_CHARACTER.to_string(),
        c => c.to_string(),
    };
    text.chars().map(one).collect()
}

/// The page that says which story proves what.
pub fn stories_page() -> String {
    let mut page = "# Stories of the lab\n\nWhat `meshctl lab test` tells, in its order; and what of the specification each \
        proves. Written by `UPDATE_STORIES=1 cargo test -p lab --test stories_page`.\n\n| story | what happens | proves | beside the \
        soak | sabotage that makes it fail |\n|---|---|---|---|---|\n"
        .to_owned();
    for story in all() {
        let (proves, calm) = (story.proves.join(", "), if story.calm { "yes" } else { "no" });
        let _ = writeln!(
            page,
            "| `{}` | {} | {proves} | {calm} | {} |",
            story.id,
            story.title,
            story.sabotage.words()
        );
    }
    page.push_str("\n## On fresh hosts\n\nWhat needs a host whose first process is systemd, told by `tests/ansible/run`; the sabotage \
        with `MESHCTL_TEST_FULL=1`.\n\n| step | what happens | proves | sabotage that makes it fail |\n|---|---|---|---|\n");
    for step in FRESH_HOSTS {
        let _ = writeln!(page, "| `{}` | {} | {} | {} |", step.name, step.title, step.proves, step.sabotage);
    }
    page.push_str("\n## The specification\n\n| item | words | stories |\n|---|---|---|\n");
    for (item, words) in ITEMS {
        let stories: Vec<String> =
            all().iter().filter(|s| s.proves.contains(&item)).map(|s| format!("`{}`", s.id)).collect();
        let fresh = FRESH_HOSTS.iter().find(|step| step.proves == item);
        let fresh =
            fresh.map(|step| format!("step `{}` of `tests/ansible/run`, on hosts with systemd", step.name));
        let _ = writeln!(page, "| {item} | {words} | {} |", fresh.unwrap_or_else(|| stories.join(", ")));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(detail: Option<&str>) -> Report {
        let story = &all()[0];
        let told = detail.map_or(Ok(()), |why| Err(anyhow::anyhow!("{why}")));
        let measure = Measure {
            criterion: "SC-001",
            verdict: Verdict::NotMeasured,
            found: "not measured (60 s)".into(),
            wanted: "",
        };
        let outcomes = vec![Outcome::new(story, told, vec![measure], 1.0), Outcome::not_run(&all()[1])];
        Report::new("lab".into(), outcomes, Vec::new(), 2.0)
    }

    #[test]
    fn what_was_not_run_or_not_measured_is_no_pass() {
        let report = report(None);
        assert!(!report.passed);
        let junit = junit(&report);
        assert!(junit.contains(r#"tests="4" failures="0" skipped="3""#), "{junit}");
        assert!(junit.contains("not measured (60 s)"), "{junit}");
    }

    #[test]
    fn a_failure_is_told_in_letters_that_xml_takes() {
        let junit = junit(&report(Some("a < b & \"c\"\n\u{1b}[2J")));
        assert!(junit.contains("a &lt; b &amp; &quot;c&quot; \u{fffd}[2J"), "{junit}");
    }
}
