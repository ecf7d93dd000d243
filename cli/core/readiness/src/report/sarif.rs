//! SARIF 2.1.0: what stands in a line of a file. What the network answered belongs into JUnit.

use serde_json::{Value, json};

use crate::{CATALOGUE, Finding, Outcome, Place, Report, State};

/// The report as a log of one run.
pub fn sarif(report: &Report) -> Value {
    let placed = |check: &Outcome| {
        let findings = check.verdict.findings.iter().filter(|f| f.state >= State::Warn);
        findings.filter_map(|f| Some(result(check, f, f.place.as_ref()?))).collect::<Vec<_>>()
    };
    let results: Vec<_> = report.checks.iter().flat_map(placed).collect();
    let rules: Vec<_> = CATALOGUE
        .iter()
        .map(|c| {
            json!({
                "id": c.id,
                "shortDescription": {"text": c.summary},
                "fullDescription": {"text": c.reason},
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "meshctl check", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": results,
        }],
    })
}

fn result(check: &Outcome, finding: &Finding, place: &Place) -> Value {
    let level = match finding.state {
        State::Fail => "error",
        State::Unknown | State::Warn => "warning",
        State::Pass | State::Skip => "none",
    };
    let fix = finding.fix.as_ref().map(|fix| format!(" Fix: {fix}")).unwrap_or_default();
    let mut value = json!({
        "ruleId": check.id,
        "level": level,
        "message": {"text": format!("{}.{fix}", finding.detail)},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": place.file},
            "region": {"startLine": place.line},
        }}],
        // Lines move; what was found, and in which file, does not.
        "partialFingerprints": {"finding/v1": format!("{}|{}|{}", check.id, place.file, finding.detail)},
    });
    if let Some(waived) = &check.waived {
        value["suppressions"] = json!([{"kind": "external", "justification": waived.reason}]);
    }
    value
}
