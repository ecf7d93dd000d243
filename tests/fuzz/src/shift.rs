//! Several targets one after the other or side by side, and what came of each.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{
    Finding, Limits, Target, campaign, judge,
    shrink::shrunk,
    watch::{FOUND, Notebook, confined, noted, watch},
};

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Shift {
    pub seed: u64,
    /// CPU time of all targets together.
    pub budget: Duration,
    /// CPU time of one input.
    pub per_input: Duration,
    /// Targets at once.
    pub jobs: usize,
    /// Inputs of earlier findings, a folder per target.
    pub regressions: PathBuf,
    /// Where inputs of new findings are saved.
    pub save: PathBuf,
}

/// What came of a target.
#[derive(Debug)]
pub struct Verdict {
    pub target: &'static str,
    /// The words of the process that ran it.
    pub said: String,
    /// What is wrong, and the file that holds the input.
    pub found: Option<(Finding, PathBuf)>,
}

/// Runs each target in a process of its own, told by `program`'s hidden arguments; tells each verdict as it comes.
pub fn shift(
    shift: &Shift,
    targets: &[Box<dyn Target>],
    program: &Path,
    tell: impl Fn(&Verdict) + Sync,
) -> Result<Vec<Verdict>> {
    fs::create_dir_all(&shift.save).with_context(|| format!("making {}", shift.save.display()))?;
    let all: u32 = targets.iter().map(|target| target.weight()).sum();
    let (next, verdicts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || -> Result<()> {
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            let budget = shift.budget * target.weight() / all.max(1);
            let verdict = run(shift, target.as_ref(), budget, program)?;
            tell(&verdict);
            if let Ok(mut list) = verdicts.lock() {
                list.push(verdict);
            }
        }
        Ok(())
    };
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..shift.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| anyhow::bail!("a worker panicked")))
    })?;
    verdicts.into_inner().map_err(|_| anyhow::anyhow!("a worker panicked"))
}

fn run(shift: &Shift, target: &dyn Target, budget: Duration, program: &Path) -> Result<Verdict> {
    let notebook = shift.save.join(format!("{}-{}.now", target.name(), std::process::id()));
    let mut command = Command::new(program);
    command.args(["--inside", target.name(), "--seed", &shift.seed.to_string()]);
    command.args(["--budget-ms", &budget.as_millis().to_string()]);
    command.args(["--per-input-ms", &shift.per_input.as_millis().to_string()]);
    command.arg("--notebook").arg(&notebook).arg("--regressions").arg(&shift.regressions);
    let result = watch(command, &notebook, shift.per_input)?;
    let input = noted(&notebook).map(|(_, input)| input).unwrap_or_default();
    let verdict = match result {
        Ok(said) => Verdict { target: target.name(), said: said.trim().to_owned(), found: None },
        Err(finding) => {
            let small = shrunk(shift, target, &finding, input, program)?;
            let file = shift.save.join(format!("{}-{:016x}", target.name(), fingerprint(&small)));
            fs::write(&file, &small).with_context(|| format!("writing {}", file.display()))?;
            Verdict { target: target.name(), said: String::new(), found: Some((finding, file)) }
        }
    };
    let _ = fs::remove_file(&notebook);
    Ok(verdict)
}

/// The process of a target; the exit code. Says what it did, or the kind of a finding and what it is.
pub fn inside(
    target: Box<dyn Target>,
    seed: u64,
    limits: Limits,
    regressions: &Path,
    notebook: &Path,
) -> Result<(i32, String)> {
    let kept = kept(&regressions.join(target.name()))?;
    let mut book = Notebook::create(notebook)?;
    let (send, receive) = std::sync::mpsc::channel();
    let code = confined(move || {
        let (tally, found) = campaign(target.as_ref(), seed, limits, &kept, |input| {
            let _ = book.note(input);
        });
        let text = format!(
            "{} regressions, {} inputs, {} outcomes, slowest {} ms",
            kept.len(),
            tally.inputs,
            tally.outcomes,
            tally.slowest.as_millis()
        );
        Ok(report(found, text, &send))
    })?;
    Ok((code, receive.recv().unwrap_or_default()))
}

/// One input in a process of its own.
pub fn alone(
    target: Box<dyn Target>,
    input: Vec<u8>,
    limits: Limits,
    notebook: &Path,
) -> Result<(i32, String)> {
    let mut book = Notebook::create(notebook)?;
    let (send, receive) = std::sync::mpsc::channel();
    let code = confined(move || {
        book.note(&input)?;
        let (result, time) = judge(target.as_ref(), &input, limits.per_input);
        Ok(report(result.err(), format!("nothing is wrong, {} ms", time.as_millis()), &send))
    })?;
    Ok((code, receive.recv().unwrap_or_default()))
}

fn report(found: Option<Finding>, done: String, send: &std::sync::mpsc::Sender<String>) -> i32 {
    let (code, text) = match found {
        None => (0, done),
        Some(Finding::Slow(time)) => (FOUND, format!("slow {}", time.as_millis())),
        Some(Finding::Panic(text)) => (FOUND, format!("panic {text}")),
        Some(Finding::Law(text) | Finding::Died(text)) => (FOUND, format!("law {text}")),
        Some(Finding::Endless(_)) => (FOUND, "law endless".to_owned()),
    };
    // A pipe holds so much before anybody reads it.
    let end = text.floor_char_boundary(16 << 10);
    let _ = send.send(text[..end].to_owned());
    code
}

fn kept(folder: &Path) -> Result<Vec<Vec<u8>>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    paths.iter().map(|path| fs::read(path).with_context(|| format!("reading {}", path.display()))).collect()
}

fn fingerprint(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
