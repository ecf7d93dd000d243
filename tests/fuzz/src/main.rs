//! The fuzzer. See `tests/fuzz/README.md`.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use clap::Parser;
use fuzz::{Limits, Shift, Target, Verdict, alone, broken, inside, shift, targets};

/// Throws damaged and invented inputs at every parser that a stranger can reach.
///
/// Examples:
///   tests/fuzz/run                              a short run over all targets
///   tests/fuzz/run --seconds 3600               a long one
///   tests/fuzz/run policy --seed 7              one target, the inputs of an earlier run again
///   tests/fuzz/run policy --replay FILE         one input alone
#[derive(Parser)]
#[command(name = "fuzz", verbatim_doc_comment)]
struct Args {
    /// Targets; all when none is named.
    targets: Vec<String>,
    /// Seconds of CPU time, all targets together.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The same seed gives the same inputs; from the clock when absent.
    #[arg(long)]
    seed: Option<u64>,
    /// Targets at once.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// CPU time that one input may take, in milliseconds.
    #[arg(long, default_value_t = 3000)]
    per_input_ms: u64,
    /// Runs this file alone against the one target that is named.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Lists the targets.
    #[arg(long)]
    list: bool,
    /// Inputs of earlier findings, a folder per target.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/regressions"), hide_default_value = true)]
    regressions: PathBuf,
    /// Where inputs of findings are saved.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/fuzz"), hide_default_value = true)]
    save: PathBuf,

    #[arg(long, hide = true)]
    inside: Option<String>,
    #[arg(long, hide = true)]
    alone: Option<PathBuf>,
    #[arg(long, hide = true, default_value_t = 0)]
    budget_ms: u64,
    #[arg(long, hide = true)]
    notebook: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    if let Some(name) = &args.inside {
        return confined(&args, name);
    }
    let chosen = chosen(&args.targets)?;
    let mut out = io::stdout();
    if args.list {
        for target in &chosen {
            writeln!(out, "{:<10}{}", target.name(), target.about())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(file) = &args.replay {
        return replay(&args, file, chosen);
    }
    let seed = args.seed.unwrap_or_else(fresh_seed);
    writeln!(out, "seed {seed} (the same inputs again: --seed {seed})")?;
    let started = Instant::now();
    let verdicts = shift(&order(&args, seed), &chosen, &std::env::current_exe()?, tell)?;
    conclude(&verdicts, started.elapsed(), &mut out)
}

fn order(args: &Args, seed: u64) -> Shift {
    Shift {
        seed,
        budget: Duration::from_secs(args.seconds),
        per_input: Duration::from_millis(args.per_input_ms),
        jobs: args.jobs,
        regressions: args.regressions.clone(),
        save: args.save.clone(),
    }
}

fn fresh_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as u64)
}

fn chosen(names: &[String]) -> Result<Vec<Box<dyn Target>>> {
    let (all, proofs) = (targets(), broken());
    if names.is_empty() {
        return Ok(all);
    }
    let mut known: Vec<_> = all.into_iter().chain(proofs).collect();
    let mut found = Vec::new();
    for name in names {
        let at = known.iter().position(|target| target.name() == name);
        found.push(
            known.swap_remove(at.with_context(|| format!("no target is called {name:?} (see --list)"))?),
        );
    }
    Ok(found)
}

fn tell(verdict: &Verdict) {
    let line = match &verdict.found {
        None => format!("test {} ... ok ({})\n", verdict.target, verdict.said),
        Some(_) => format!("test {} ... FAILED\n", verdict.target),
    };
    let _ = io::stdout().write_all(line.as_bytes());
}

/// Closes like a test of cargo's, so that whoever counts those can count these.
fn conclude(verdicts: &[Verdict], time: Duration, out: &mut impl Write) -> Result<ExitCode> {
    let failed: Vec<_> = verdicts.iter().filter_map(|v| Some((v.target, v.found.as_ref()?))).collect();
    if !failed.is_empty() {
        writeln!(out, "\nfailures:\n")?;
    }
    for (target, (finding, file)) in &failed {
        writeln!(out, "---- {target} ----\n{finding}\nthe input is in {}", file.display())?;
        writeln!(out, "hint: tests/fuzz/run {target} --replay {}", file.display())?;
        writeln!(out, "hint: once it is mended, keep the input in tests/fuzz/regressions/{target}/\n")?;
    }
    let word = if failed.is_empty() { "ok" } else { "FAILED" };
    let (good, bad) = (verdicts.len() - failed.len(), failed.len());
    writeln!(
        out,
        "\ntest result: {word}. {good} passed; {bad} failed; 0 ignored; finished in {:.1}s",
        time.as_secs_f64()
    )?;
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn replay(args: &Args, file: &Path, mut chosen: Vec<Box<dyn Target>>) -> Result<ExitCode> {
    let (Some(target), true) = (chosen.pop(), args.targets.len() == 1) else {
        bail!("name the one target that the input is for");
    };
    let input = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let limits = Limits { budget: Duration::ZERO, per_input: Duration::from_millis(args.per_input_ms) };
    let (result, time) = fuzz::judge(target.as_ref(), &input, limits.per_input);
    let (word, code) = match result {
        Ok(_) => (format!("nothing is wrong, {} ms", time.as_millis()), ExitCode::SUCCESS),
        Err(finding) => (finding.to_string(), ExitCode::FAILURE),
    };
    writeln!(io::stdout(), "{word}")?;
    Ok(code)
}

fn confined(args: &Args, name: &str) -> Result<ExitCode> {
    let mut one = chosen(&[name.to_owned()])?;
    let target = one.pop().context("a target")?;
    let limits = Limits {
        budget: Duration::from_millis(args.budget_ms),
        per_input: Duration::from_millis(args.per_input_ms),
    };
    let notebook = args.notebook.as_deref().context("a process of a target has a notebook")?;
    let (code, text) = match &args.alone {
        Some(file) => alone(target, fs::read(file)?, limits, notebook)?,
        None => inside(target, args.seed.unwrap_or_default(), limits, &args.regressions, notebook)?,
    };
    writeln!(io::stdout(), "{text}")?;
    Ok(ExitCode::from(u8::try_from(code)?))
}
