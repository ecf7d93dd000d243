//! JUnit: one test case a check. A warning is said in its output, and what is unknown or skipped counts as skipped.

use std::fmt::Write;

use crate::{Outcome, Report, State};

/// The report as XML.
pub fn junit(report: &Report) -> String {
    let counts = report.counts;
    let skipped = counts.skip + counts.unknown + counts.waived;
    let seconds = report.checks.iter().map(|c| c.milliseconds).max().unwrap_or(0) as f64 / 1000.0;
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        xml,
        r#"<testsuite name="meshctl check" tests="{}" failures="{}" errors="0" skipped="{skipped}" time="{seconds:.3}">"#,
        report.checks.len(),
        counts.fail,
    );
    report.checks.iter().for_each(|check| case(&mut xml, check));
    xml.push_str("</testsuite>\n");
    xml
}

fn case(xml: &mut String, check: &Outcome) {
    let (group, seconds) =
        (check.id.split('.').next().unwrap_or_default(), check.milliseconds as f64 / 1000.0);
    let _ = write!(xml, r#"  <testcase classname="{group}" name="{}" time="{seconds:.3}""#, check.id);
    let summary = escape(&check.summary);
    let inside = match (&check.waived, check.state) {
        (Some(waived), _) => {
            format!("<skipped message=\"waived until {}: {}\"/>", waived.expires, escape(&waived.reason))
        }
        (None, State::Pass) => String::new(),
        (None, State::Skip) => format!("<skipped message=\"{summary}\"/>"),
        (None, State::Unknown) => format!("<skipped message=\"could not be determined: {summary}\"/>"),
        (None, State::Warn) => format!("<system-out>warn: {}</system-out>", details(check)),
        (None, State::Fail) => format!("<failure message=\"{summary}\">{}</failure>", details(check)),
    };
    match inside.is_empty() {
        true => xml.push_str("/>\n"),
        false => _ = writeln!(xml, ">\n    {inside}\n  </testcase>"),
    }
}

fn details(check: &Outcome) -> String {
    let mut text = String::new();
    for finding in check.verdict.findings.iter().filter(|f| f.state >= State::Warn) {
        let place = finding.place.as_ref().map(|p| format!("{}:{}: ", p.file, p.line)).unwrap_or_default();
        let fix = finding.fix.as_ref().map(|fix| format!("\n  fix: {fix}")).unwrap_or_default();
        let _ = writeln!(text, "{place}{}{fix}", finding.detail);
    }
    for seen in &check.verdict.evidence {
        let _ = writeln!(text, "asked {} of {}: {}", seen.asked, seen.of, seen.answer);
    }
    escape(text.trim_end())
}

/// What XML keeps for itself, and what it cannot hold at all.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_opens_a_tag_or_ends_an_attribute(text in "\\PC*|[<>&\"\\x00-\\x1f]*") {
            let safe = escape(&text);
            let open = safe.contains(['<', '>', '"', '\0', '\u{1b}']);
            prop_assert!(!open, "{:?}", safe);
        }
    }
}
