//! Stories for people: the list of them, and how they went.

use lab::story::{Kind, Path, Report, State, Story, Verdict, junit, picture};
use serde::Serialize;

use super::test::Format;
use crate::talk::{Render, Screen, Table, join};

/// The stories there are.
#[derive(Serialize)]
pub struct Listed {
    stories: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    id: &'static str,
    title: &'static str,
    proves: &'static [&'static str],
    calm: bool,
    sabotage: &'static str,
}

impl Listed {
    pub fn of(stories: &[Story]) -> Self {
        let entry = |story: &Story| {
            let Story { id, title, proves, calm, .. } = *story;
            Entry { id, title, proves, calm, sabotage: story.sabotage.words() }
        };
        Self { stories: stories.iter().map(entry).collect() }
    }
}

impl Render for Listed {
    fn render(&self, screen: &Screen) -> String {
        let mut table = Table::new(["STORY", "WHAT HAPPENS", "PROVES"], "no stories");
        for entry in &self.stories {
            table.row([entry.id.to_owned(), entry.title.to_owned(), join(entry.proves)]);
        }
        table.render(screen)
    }
}

/// A report in the form that was asked for.
#[derive(Serialize)]
pub struct Told {
    #[serde(flatten)]
    report: Report,
    sabotage: bool,
    #[serde(skip)]
    format: Format,
}

impl Told {
    pub fn new(report: Report, format: Format, sabotage: bool) -> Self {
        Self { report, sabotage, format }
    }
}

impl Render for Told {
    fn render(&self, screen: &Screen) -> String {
        match self.format {
            Format::Table => self.table(screen),
            Format::Junit => junit(&self.report),
            Format::Svg => picture(&self.report),
        }
    }
}

impl Told {
    fn table(&self, screen: &Screen) -> String {
        let mut table = Table::new(["STATE", "STORY", "SECONDS", "WHAT"], "no stories");
        for story in &self.report.stories {
            let what =
                if self.sabotage { story.detail.clone().unwrap_or_default() } else { story.title.to_owned() };
            table.row([
                story.state.word().to_owned(),
                story.id.to_owned(),
                format!("{:.1}", story.seconds),
                what,
            ]);
        }
        let criteria = if self.sabotage { String::new() } else { self.criteria(screen) };
        let told = [table.render(screen), criteria, self.paths(), self.failures(), self.last_line()];
        told.concat()
    }

    fn criteria(&self, screen: &Screen) -> String {
        let mut table = Table::new(["CRITERION", "VERDICT", "FOUND", "WANTED"], "");
        for criterion in &self.report.criteria {
            let verdict = match criterion.verdict {
                Verdict::Met => "met",
                Verdict::Missed => "MISSED",
                Verdict::NotMeasured => "not measured",
            };
            let cells = [criterion.criterion, verdict, &criterion.found, criterion.wanted];
            table.row(cells.map(str::to_owned));
        }
        format!("\n{}", table.render(screen))
    }

    fn paths(&self) -> String {
        let path = |path: &Path| {
            let how = match path.kind {
                Kind::Direct => "direct",
                Kind::Relayed => "relayed",
                Kind::None => "no answer",
            };
            format!("{}-{} {how}", path.from, path.to)
        };
        format!("\npaths: {}\n", join(self.report.paths.iter().map(path)))
    }

    fn failures(&self) -> String {
        let failed = self.report.stories.iter().filter(|story| story.state == State::Failed);
        failed
            .map(|story| format!("\n{}\n  {}\n", story.id, story.detail.as_deref().unwrap_or_default()))
            .collect()
    }

    fn last_line(&self) -> String {
        let count = |state| self.report.stories.iter().filter(|story| story.state == state).count();
        let (passed, failed, not_run) = (count(State::Passed), count(State::Failed), count(State::NotRun));
        format!("\n{passed} passed, {failed} failed, {not_run} not run, in {:.0} s\n", self.report.seconds)
    }
}
