//! Cuts an input down while the same kind of thing is wrong with it.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{Finding, Shift, Target, watch::watch};

const PATIENCE: Duration = Duration::from_secs(30);

/// The smallest input that was found in half a minute; the same one when it does not fail again.
pub(crate) fn shrunk(
    shift: &Shift,
    target: &dyn Target,
    finding: &Finding,
    input: Vec<u8>,
    program: &Path,
) -> Result<Vec<u8>> {
    // Each try of these would take as long as the input did.
    if matches!(finding, Finding::Endless(_) | Finding::Slow(_)) {
        return Ok(input);
    }
    let (started, mut best) = (Instant::now(), input);
    let mut piece = best.len().div_ceil(2);
    while piece > 0 && started.elapsed() < PATIENCE {
        let mut at = 0;
        while at < best.len() && started.elapsed() < PATIENCE {
            let mut less = best.clone();
            less.drain(at..(at + piece).min(best.len()));
            if fails_alike(shift, target, finding, &less, program)? {
                best = less;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    Ok(best)
}

fn fails_alike(
    shift: &Shift,
    target: &dyn Target,
    finding: &Finding,
    input: &[u8],
    program: &Path,
) -> Result<bool> {
    let stem = shift.save.join(format!("{}-{}", target.name(), std::process::id()));
    let (file, notebook) = (stem.with_extension("try"), stem.with_extension("alone"));
    fs::write(&file, input)?;
    let mut command = Command::new(program);
    command.args(["--inside", target.name(), "--per-input-ms", &shift.per_input.as_millis().to_string()]);
    command.arg("--notebook").arg(&notebook).arg("--alone").arg(&file);
    let result = watch(command, &notebook, shift.per_input)?;
    let _ = (fs::remove_file(&file), fs::remove_file(&notebook));
    Ok(result.is_err_and(|found| found.kind() == finding.kind()))
}
