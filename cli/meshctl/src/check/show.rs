//! Reports for people, and the other forms.

use readiness::{CHECKLISTS, Check, Outcome, Report, Stage, State, junit, sarif};
use serde::Serialize;

use super::Format;
use crate::talk::{Fields, Render, Screen, Table, join};

/// A report in the form that was asked for.
#[derive(Serialize)]
pub struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<Stage>,
    #[serde(flatten)]
    report: Report,
    #[serde(skip)]
    format: Format,
}

impl Shown {
    pub fn new(report: Report, format: Format, stage: Option<Stage>) -> Self {
        Self { stage, report, format }
    }
}

impl Render for Shown {
    fn render(&self, screen: &Screen) -> String {
        match self.format {
            Format::Table => table(&self.report, screen),
            Format::Json => serde_json::to_string_pretty(self).unwrap_or_default() + "\n",
            Format::Junit => junit(&self.report),
            Format::Sarif => format!("{:#}\n", sarif(&self.report)),
        }
    }
}

fn table(report: &Report, screen: &Screen) -> String {
    let mut table = Table::new(["STATE", "CHECK", "WHAT WAS FOUND"], "no checks");
    let roots = report.checks.iter().filter(|c| c.consequence_of.is_none());
    for check in roots {
        row(&mut table, check, "");
        let own = report.checks.iter().filter(|c| c.consequence_of == Some(check.id));
        own.for_each(|consequence| row(&mut table, consequence, "└ "));
    }
    let mut text = table.render(screen);
    text.push_str(&remedies(report));
    text.push_str(&last_line(report));
    text
}

fn row(table: &mut Table, check: &Outcome, indent: &str) {
    let state = if check.waived.is_some() { "waived" } else { check.state.word() };
    let summary = match &check.waived {
        Some(waived) => format!("{} (until {}: {})", check.summary, waived.expires, waived.reason),
        None => check.summary.clone(),
    };
    table.row([state.to_owned(), format!("{indent}{}", check.id), summary]);
}

/// What to do about each cause, in full.
fn remedies(report: &Report) -> String {
    let mut text = String::new();
    let open = report.checks.iter().filter(|c| c.counts() && c.consequence_of.is_none());
    for check in open {
        text.push_str(&format!("\n{}\n", check.id));
        for finding in check.verdict.findings.iter().filter(|f| f.state >= State::Warn) {
            text.push_str(&format!("  {}: {}\n", finding.state.word(), finding.detail));
            if let Some(fix) = &finding.fix {
                text.push_str(&format!("  fix: {fix}\n"));
            }
        }
    }
    text
}

fn last_line(report: &Report) -> String {
    let counts = report.counts;
    let all = [
        (counts.pass, "passed"),
        (counts.warn, "warned"),
        (counts.fail, "failed"),
        (counts.unknown, "could not be determined"),
        (counts.waived, "waived"),
        (counts.skip, "skipped"),
    ];
    let said = all.iter().filter(|(many, _)| *many > 0).map(|(many, word)| format!("{many} {word}"));
    format!("\n{}\n", join(said))
}

/// Every check there is.
#[derive(Serialize)]
pub struct Catalogue {
    pub checks: Vec<Check>,
}

impl Render for Catalogue {
    fn render(&self, screen: &Screen) -> String {
        let mut table = Table::new(["CHECK", "STAGES", "WHAT IS SO WHEN IT PASSES"], "no checks");
        for check in &self.checks {
            let stages = check.stages.iter().map(|stage| stage.word());
            table.row([check.id.to_owned(), join(stages), check.summary.to_owned()]);
        }
        table.render(screen)
    }
}

/// One check in full.
#[derive(Serialize)]
pub struct Explained {
    #[serde(flatten)]
    pub check: &'static Check,
}

impl Render for Explained {
    fn render(&self, screen: &Screen) -> String {
        let check = self.check;
        let items =
            CHECKLISTS.iter().flat_map(|list| list.items).filter(|item| item.checks.contains(&check.id));
        Fields::default()
            .add("check", check.id)
            .add("passes when", check.summary)
            .add("otherwise", check.reason)
            .add("method", check.method)
            .add("stages", join(check.stages.iter().map(|stage| stage.word())))
            .add("rests on", join(check.depends_on))
            .add("answers", join(items.map(|item| item.question)))
            .render(screen)
    }
}
