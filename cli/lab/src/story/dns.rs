//! Names: found, new, changed, gone.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::sabotage::Sabotage;
use super::{Stage, Story};
use crate::bench::{MEMBERS, NO_ERROR, ipv4_of, pairs};

const LOOKUP_LIMIT: Duration = Duration::from_secs(1);
const KNOWN_WITHIN: Duration = Duration::from_secs(30);

pub(super) fn stories() -> Vec<Story> {
    vec![
        Story {
            id: "dns.resolve",
            title: "every host finds every other by name",
            proves: &["US4.1", "FR-007", "SC-004"],
            calm: true,
            sabotage: Sabotage::NamesOff,
            symptom: "getent ahostsv4",
            tell: resolve,
        },
        Story {
            id: "dns.joined",
            title: "a new host's name is known everywhere within 30 s",
            proves: &["US4.2"],
            calm: true,
            sabotage: Sabotage::OtherName,
            symptom: "a to find (0, [",
            tell: joined,
        },
        Story {
            id: "dns.renamed",
            title: "a host that changes its name is found under the new one, and no more under the old",
            proves: &["US4.3"],
            calm: true,
            sabotage: Sabotage::NeverRenamed,
            symptom: "for after",
            tell: renamed,
        },
        Story {
            id: "dns.left",
            title: "a host signs off, and its name is gone",
            proves: &["US4.4", "FR-010"],
            calm: true,
            sabotage: Sabotage::NeverLeft,
            symptom: "the client is still in: Running",
            tell: left,
        },
    ]
}

fn resolve(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    let mut longest = Duration::ZERO;
    for (from, to) in pairs() {
        let address = bench.ipv4(to)?;
        let found = bench.ask(from, to)?;
        ensure!(found.code == NO_ERROR && found.addresses == [address], "{from} finds {found:?} for {to}");
        let by_system = bench.look_up(from, to)?;
        ensure!(by_system == address, "programs on {from} find {by_system} for {to}");
        longest = longest.max(found.took);
    }
    let found = format!("{:.1} ms at most, of 6 questions", longest.as_secs_f64() * 1e3);
    stage.measured("SC-004", longest < LOOKUP_LIMIT, found);
    Ok(())
}

fn joined(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    for member in MEMBERS {
        bench.await_name(member, "newcomer", None, KNOWN_WITHIN)?;
    }
    let asked = if stage.sabotaged(Sabotage::OtherName) { "stranger" } else { "newcomer" };
    let spare = bench.spare(asked)?;
    let address = ipv4_of(&spare)?;
    for member in MEMBERS {
        bench.await_name(member, "newcomer", Some(address), KNOWN_WITHIN)?;
    }
    bench.retire(spare)
}

fn renamed(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    let spare = bench.spare("before")?;
    let address = ipv4_of(&spare)?;
    bench.await_name("a", "before", Some(address), KNOWN_WITHIN)?;
    if !stage.sabotaged(Sabotage::NeverRenamed) {
        spare.tailscale(&["set", "--hostname=after"], Duration::from_secs(20))?.ok()?;
    }
    for member in MEMBERS {
        bench.await_name(member, "after", Some(address), KNOWN_WITHIN)?;
        bench.await_name(member, "before", None, KNOWN_WITHIN)?;
    }
    bench.retire(spare)
}

fn left(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    let spare = bench.spare("leaver")?;
    let address = ipv4_of(&spare)?;
    bench.await_name("b", "leaver", Some(address), KNOWN_WITHIN)?;
    let node = bench.server.node("leaver")?;
    if !stage.sabotaged(Sabotage::NeverLeft) {
        spare.logout()?;
    }
    ensure!(spare.state()? == "NeedsLogin", "the client is still in: {}", spare.state()?);
    for member in MEMBERS {
        bench.await_name(member, "leaver", None, KNOWN_WITHIN)?;
        bench.await_peer(member, address, false, KNOWN_WITHIN)?;
    }
    drop(spare);
    bench.delete(&node)
}
