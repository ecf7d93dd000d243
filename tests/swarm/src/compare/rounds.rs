//! One load after the other on each server: the loads are processes of their own, so that a limit ends them for sure.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};

use super::{
    Column, CompareArgs,
    course::{self, Step},
    rival::Rival,
    table::{Better, Figure, Table, Unit},
};
use crate::{
    floor::{Floor, Load},
    say,
    scenario::join,
    topology::Topology,
};

/// Name, step, unit, which is better, and how to read it off.
type Reading = (&'static str, &'static str, Unit, Better, fn(&Step) -> f64);

/// Name, where in the answer it stands, unit, which is better.
type Place = (&'static str, &'static str, Unit, Better);

const READINGS: [Reading; 14] = [
    ("register and connect, until all know all", "ramp", Unit::Seconds, Better::Less, |s| s.seconds),
    ("- server CPU", "ramp", Unit::Seconds, Better::Less, |s| s.cpu_seconds),
    ("one changed endpoint, server CPU", "change", Unit::Milliseconds, Better::Less, cpu_each),
    ("- to each receiver, p99", "change", Unit::Milliseconds, Better::Less, |s| s.p99_ms),
    ("35 changes/s, to each receiver, p99", "churn", Unit::Milliseconds, Better::Less, |s| s.p99_ms),
    ("- server CPU per change", "churn", Unit::Milliseconds, Better::Less, cpu_each),
    ("all reconnect at once, server CPU", "reconnect", Unit::Seconds, Better::Less, |s| s.cpu_seconds),
    ("- until the last has its map", "reconnect", Unit::Milliseconds, Better::Less, |s| s.p99_ms),
    ("a device comes or goes, to each, p99", "join", Unit::Milliseconds, Better::Less, |s| s.p99_ms),
    ("server memory, peak", "churn", Unit::Bytes, Better::Less, |s| s.peak_rss_bytes as f64),
    ("all devices listed, server CPU", "list", Unit::Milliseconds, Better::Less, cpu_each),
    ("1,000 lists at once, server CPU each", "reads", Unit::Milliseconds, Better::Less, cpu_each),
    ("- to each reader, p99", "reads", Unit::Milliseconds, Better::Less, |s| s.p99_ms),
    ("models that are wrong, and complaints", "verdict", Unit::Count, Better::None, |s| {
        s.models_wrong as f64 + s.errors as f64
    }),
];

fn cpu_each(step: &Step) -> f64 {
    step.cpu_seconds * 1000.0 / step.changes.max(1) as f64
}

/// Ours, headscale, and headscale with shorter waits, with so many clients each. Where people see their own devices only,
/// nobody hears of a guest.
pub async fn control_round(args: &CompareArgs, ours: &Path, nodes: u32, topology: Topology) -> Result<Table> {
    let columns = [Column::Ours, Column::Headscale, Column::HeadscaleTuned];
    let mut all = Vec::new();
    for column in columns {
        say(&format!("{} with {nodes} clients, {}", column.name(), topology.name()));
        let mut words = words(&["course", "--topology", topology.name(), "--nodes"]);
        words.push(nodes.to_string());
        if args.quick {
            words.extend(self::words(&["--changes", "5", "--seconds", "3"]));
        }
        let steps = if column == Column::Ours {
            words.extend(["--spawn".to_owned(), ours.display().to_string()]);
            lines(words, args.limit).await?
        } else {
            let tuned = column == Column::HeadscaleTuned;
            // Guests come on top, and are people's as well.
            let devices = nodes as usize + join::guests(course::GUESTS_SECONDS, course::GUESTS_RATE);
            let rival = Rival::headscale(&args.rivals, &args.configs, tuned, topology, devices).await?;
            words.extend(["--server".to_owned(), format!("http://{}", rival.address)]);
            words.extend(["--server-pid".to_owned(), rival.pid.to_string()]);
            words.extend(["--key-file".to_owned(), rival.key_file.display().to_string()]);
            words.extend(["--api-key-file".to_owned(), rival.api_key_file.display().to_string()]);
            lines(words, args.limit).await?
        };
        let steps = steps.into_iter().map(serde_json::from_value).collect::<Result<Vec<Step>, _>>()?;
        all.push(steps);
    }
    let of =
        |name, steps: &Vec<Step>, read: fn(&Step) -> f64| steps.iter().find(|s| s.step == name).map(read);
    let figures = READINGS.into_iter().filter(|(_, step, ..)| topology != Topology::Own || *step != "join");
    let figures = figures.map(|(name, step, unit, better, read)| {
        let values = all.iter().map(|steps| of(step, steps, read)).collect();
        Figure { name: name.to_owned(), unit, better, values }
    });
    let title = format!("{nodes} clients, {}", topology.name());
    Ok(Table { title, columns: columns.to_vec(), figures: figures.collect() })
}

/// Whom relays and answers to address questions are compared with.
const BESIDE: [Column; 3] = [Column::Ours, Column::Derper, Column::Floor];

/// Our relay, derper, and the least there can be.
pub async fn relay_round(args: &CompareArgs, ours: &Path) -> Result<Table> {
    let seconds = if args.quick { "3" } else { "10" };
    let loads: [(&str, &[&str], &[Place]); 6] = [
        ("8 pairs, 40,000 packets/s", &["--pairs", "8", "--rate", "40000"], &[PER_CPU, P99, WRONG]),
        ("8 pairs, flooded", &["--pairs", "8"], &[PER_CPU, P99, WRONG]),
        ("64 pairs, flooded", &["--pairs", "64"], &[PER_CPU, P99, WRONG]),
        ("8 receivers, 2 senders each, flooded", &["--pairs", "8", "--senders", "2"], &[PER_CPU, DELIVERED]),
        (
            "20 pairs, 20,000 packets/s, 10 % stall",
            &["--pairs", "20", "--rate", "20000", "--burst", "1", "--stalled", "10"],
            &[("p99 before", "/latency_ms_before/p99", Unit::Milliseconds, Better::Less), P99],
        ),
        (
            "2,000 idle connections",
            &["--pairs", "0", "--idle", "2000"],
            &[("each", "/idle/bytes_each", Unit::Bytes, Better::Less)],
        ),
    ];
    let mut figures = Vec::new();
    for (name, load, readings) in loads {
        let words = [["relay", "--json", "--seconds", seconds].as_slice(), load].concat();
        figures.extend(on_each(args, ours, name, &words, readings).await?);
    }
    Ok(Table { title: "relay, packets of 1,300 B".to_owned(), columns: BESIDE.to_vec(), figures })
}

const PER_CPU: Place =
    ("packets per s of CPU", "/server/packets_per_cpu_second", Unit::PerSecond, Better::More);
const DELIVERED: Place = ("packets per s", "/packets_per_second", Unit::PerSecond, Better::More);
const P99: Place = ("p99", "/latency_ms/p99", Unit::Milliseconds, Better::Less);
const WRONG: Place = ("wrong packets", "/wrong", Unit::Count, Better::None);

/// Our answers to address questions, derper's, and the least there can be.
pub async fn stun_round(args: &CompareArgs, ours: &Path) -> Result<Table> {
    let seconds = if args.quick { "2" } else { "10" };
    let readings = [
        ("answers per s of CPU", "/answers_per_cpu_second", Unit::PerSecond, Better::More),
        ("answers per s", "/answers_per_second", Unit::PerSecond, Better::More),
        ("wrong answers", "/wrong", Unit::Count, Better::None),
    ];
    let words = ["stun", "--json", "--seconds", seconds];
    let figures = on_each(args, ours, "STUN", &words, &readings).await?;
    Ok(Table { title: "STUN".to_owned(), columns: BESIDE.to_vec(), figures })
}

async fn on_each(
    args: &CompareArgs,
    ours: &Path,
    name: &str,
    load: &[&str],
    readings: &[Place],
) -> Result<Vec<Figure>> {
    let asks = load.first() == Some(&"stun");
    let mut answers = Vec::new();
    for column in BESIDE {
        say(&format!("{}: {name}", column.name()));
        let said = match column {
            Column::Floor => {
                let floor = Floor::start(if asks { Load::Stun } else { Load::Relay }).await?;
                lines(at(load, floor.address, floor.pid), args.limit).await?
            }
            Column::Derper => {
                let rival = Rival::derper(&args.rivals).await?;
                let port = if asks { rival.stun } else { rival.address.port() };
                lines(at(load, SocketAddr::new(rival.address.ip(), port), rival.pid), args.limit).await?
            }
            Column::Ours | Column::Headscale | Column::HeadscaleTuned => {
                let mut words = words(load);
                words.extend(["--spawn".to_owned(), ours.display().to_string()]);
                lines(words, args.limit).await?
            }
        };
        answers.push(said.into_iter().next());
    }
    Ok(readings
        .iter()
        .map(|(figure, place, unit, better)| {
            let read = |answer: &Option<Value>| answer.as_ref()?.pointer(place)?.as_f64();
            let values = answers.iter().map(read).collect();
            Figure { name: format!("{name}: {figure}"), unit: *unit, better: *better, values }
        })
        .collect())
}

/// The load on a process that runs.
fn at(load: &[&str], address: SocketAddr, pid: u32) -> Vec<String> {
    let whom = ["--address".to_owned(), address.to_string(), "--pid".to_owned(), pid.to_string()];
    [words(load), whom.to_vec()].concat()
}

fn words(of: &[&str]) -> Vec<String> {
    of.iter().map(ToString::to_string).collect()
}

/// Runs this program with other words and collects the objects that it prints. When the next does not come within the
/// limit, or the program fails, those that came before are all there is.
async fn lines(words: Vec<String>, limit_seconds: u32) -> Result<Vec<Value>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(&words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut said = BufReader::new(child.stdout.take().context("its output")?).lines();
    let mut values = Vec::new();
    loop {
        match timeout(Duration::from_secs(limit_seconds.into()), said.next_line()).await {
            Ok(line) => match line? {
                Some(line) => values.push(serde_json::from_str(&line).context("a line of JSON")?),
                None => break,
            },
            Err(_) => {
                say(&format!("  DNF: no further step within {limit_seconds} s"));
                child.kill().await?;
                break;
            }
        }
    }
    let ended = child.wait().await?;
    if !ended.success() {
        say(&format!("  it ended early: {ended}"));
    }
    Ok(values)
}
