//! Services that are bound to the mesh alone.

use anyhow::{Result, ensure};

use super::sabotage::Sabotage;
use super::{Stage, Story};
use crate::bench::{Bench, Web};

const PAGE: &str = "served in the mesh";

pub(super) fn stories() -> Vec<Story> {
    vec![
        Story {
            id: "service.mesh_only",
            title: "nginx on the mesh address answers the mesh, and nobody beside it",
            proves: &["US3.1", "US3.2", "US3.3", "FR-014", "FR-015", "FR-016"],
            calm: true,
            sabotage: Sabotage::BoundEverywhere,
            symptom: "outsider gets a connection",
            tell: mesh_only,
        },
        Story {
            id: "service.by_name",
            title: "nginx answers under the host's name",
            proves: &["US3.4"],
            calm: true,
            sabotage: Sabotage::NamesOff,
            symptom: "getent ahostsv4 a",
            tell: by_name,
        },
    ]
}

fn mesh_only(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    let everywhere = stage.sabotaged(Sabotage::BoundEverywhere);
    let (inside, outside) = (bench.ipv4("a")?, bench.outside("a")?);
    let bound = if everywhere { std::net::Ipv4Addr::UNSPECIFIED } else { inside };
    let _web = Web::start(bench.host("a")?, bound, "a", PAGE)?;
    for from in ["b", "c"] {
        served(bench, from, inside, "a")?;
    }
    // a neighbour on the same wire, who is not in the mesh; and one who is, by the wrong address
    for (from, address) in [("outsider", outside), ("outsider", inside), ("a", outside)] {
        ensure!(bench.is_closed(from, address)?, "{from} gets a connection at {address}");
    }
    ensure!(
        bench.reaches("outsider", outside, 5)?,
        "the neighbour does not reach a at all, so nothing was proven"
    );
    Ok(())
}

fn by_name(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    let inside = bench.ipv4("a")?;
    let _web = Web::start(bench.host("a")?, inside, "a", PAGE)?;
    for from in ["b", "c"] {
        let found = bench.look_up(from, "a")?;
        ensure!(found == inside, "{from} finds {found} for a, whose address is {inside}");
        served(bench, from, found, "a")?;
    }
    let other = bench.get("b", inside, "elsewhere")?;
    ensure!(!other.contains(PAGE), "the page is served under any name");
    Ok(())
}

pub(super) fn served(bench: &Bench<'_>, from: &str, address: std::net::Ipv4Addr, name: &str) -> Result<()> {
    let answer = bench.get(from, address, name)?;
    ensure!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains(PAGE),
        "{from} asks {name} and gets {answer}"
    );
    Ok(())
}

pub(super) const fn page() -> &'static str {
    PAGE
}
