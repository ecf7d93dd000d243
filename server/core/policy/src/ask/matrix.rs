//! Who reaches what, by parties.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    Asked, TooLarge, Work,
    party::{Nature, Side},
    ruling::{Opens, Ruling, rulings},
    source::Lines,
    stage::Stage,
    traffic::Traffic,
};
use crate::{Document, Roster};

/// Most rows; parties beyond it are more than a table can show.
pub const MOST_ROWS: usize = 500;

/// A table of everybody against everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// Sources and destinations.
    pub rows: Vec<Row>,
    /// What is open, row by row; pairs that are not here are closed.
    pub cells: Vec<Cell>,
}

/// A party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What to call it.
    #[serde(flatten)]
    pub side: Side,
    /// Whether it can be a source.
    pub asks: bool,
    /// Whether it can be a destination.
    pub answers: bool,
}

/// What one party may do on another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Row of the source.
    pub from: usize,
    /// Row of the destination.
    pub to: usize,
    /// Protocols and ports: `*`, `22,443`, `udp 53`; empty when none.
    pub ports: String,
    /// Whether everything is open.
    pub all: bool,
    /// Users as whom one may log in by SSH.
    pub logins: Vec<String>,
    /// Capabilities in applications.
    pub apps: Vec<String>,
    /// Lines of the rules.
    pub lines: Vec<u32>,
}

impl Document {
    /// Who reaches what, for the devices and people of the roster and those that the policy speaks of.
    pub fn matrix(&self, roster: &Roster) -> Result<Matrix, TooLarge> {
        let mut work = Work::new();
        let asked = Asked::from(self);
        let stage = Stage::set(&[asked.content], roster, &[], &mut work)?;
        let rulings = rulings(&stage, asked.content, 0, &mut work)?;
        let is_shown = |opens: &Opens| match opens {
            Opens::Traffic(_) | Opens::Login { .. } | Opens::Caps(_) => true,
            Opens::Claim | Opens::Route | Opens::Attributes(_) => false,
        };
        let shown: Vec<_> = rulings.iter().filter(|ruling| is_shown(&ruling.opens)).collect();
        let row_of = rows(&stage, &shown);
        let count = row_of.values().collect::<BTreeSet<_>>().len();
        if count > MOST_ROWS {
            return Err(TooLarge);
        }
        let mut matrix = Matrix { rows: named(&stage, &row_of, count), cells: Vec::new() };
        let lines = Lines::of(asked.text);
        for ((from, to), on) in by_pair(&row_of, &shown, &mut work)? {
            matrix.rows[from].asks = true;
            matrix.rows[to].answers = true;
            matrix.cells.push(cell(from, to, &on, &lines));
        }
        Ok(matrix)
    }
}

/// Parties of the same nature that the same rules mean, the same way, share a row.
fn rows(stage: &Stage, rulings: &[&Ruling]) -> BTreeMap<u32, usize> {
    let mut meant: Vec<(u8, Vec<u32>, Vec<u32>)> =
        stage.parties.iter().map(|party| (nature(&party.nature), Vec::new(), Vec::new())).collect();
    for (at, ruling) in rulings.iter().enumerate() {
        ruling.sources.iter().for_each(|id| meant[*id as usize].1.push(at as u32));
        ruling.destinations.iter().for_each(|id| meant[*id as usize].2.push(at as u32));
    }
    let mut order: Vec<u32> = (0..stage.parties.len() as u32).collect();
    order.sort_by_key(|id| stage.party(*id).map(|party| (nature(&party.nature), &party.name)));
    let mut known: BTreeMap<&(u8, Vec<u32>, Vec<u32>), usize> = BTreeMap::new();
    let mut rows = BTreeMap::new();
    for id in order {
        let (Some(key), Some(party)) = (meant.get(id as usize), stage.party(id)) else { continue };
        let is_meant = !key.1.is_empty() || !key.2.is_empty();
        let is_there = party.nature == Nature::Devices && !party.devices.is_empty();
        if is_meant || is_there {
            let next = known.len();
            rows.insert(id, *known.entry(key).or_insert(next));
        }
    }
    rows
}

fn nature(nature: &Nature) -> u8 {
    match nature {
        Nature::Devices => 0,
        Nature::Network(_) => 1,
        Nature::Internet => 2,
        Nature::Own => 3,
        Nature::Tag => 4,
        Nature::Attributes => 5,
    }
}

fn named(stage: &Stage, row_of: &BTreeMap<u32, usize>, count: usize) -> Vec<Row> {
    const MOST: usize = 3;
    let mut parties = vec![Vec::new(); count];
    row_of.iter().for_each(|(id, row)| parties[*row].push(*id));
    let row = |parties: Vec<u32>| {
        let sides = stage.sides(&parties);
        let mut names: Vec<_> = sides.iter().take(MOST).map(|side| side.name.as_str()).collect();
        let more = format!("{} more", sides.len().saturating_sub(MOST));
        if sides.len() > MOST {
            names.push(&more);
        }
        let devices = sides.iter().map(|side| side.devices).sum();
        Row { side: Side { name: names.join(", "), devices }, asks: false, answers: false }
    };
    parties.into_iter().map(row).collect()
}

type ByPair<'r, 'a> = BTreeMap<(usize, usize), Vec<&'r Ruling<'a>>>;

fn by_pair<'r, 'a>(
    row_of: &BTreeMap<u32, usize>,
    rulings: &[&'r Ruling<'a>],
    work: &mut Work,
) -> Result<ByPair<'r, 'a>, TooLarge> {
    let mut pairs: ByPair = BTreeMap::new();
    let rows = |ids: &[u32]| ids.iter().filter_map(|id| row_of.get(id)).copied().collect::<BTreeSet<_>>();
    for ruling in rulings {
        let (sources, destinations) = (rows(&ruling.sources), rows(&ruling.destinations));
        work.spend(sources.len() * destinations.len() * 8)?;
        for from in &sources {
            for to in &destinations {
                pairs.entry((*from, *to)).or_default().push(ruling);
            }
        }
    }
    Ok(pairs)
}

fn cell(from: usize, to: usize, rulings: &[&Ruling], lines: &Lines) -> Cell {
    let mut traffic = Traffic::default();
    let (mut logins, mut apps, mut at) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for ruling in rulings {
        at.extend(lines.find(ruling.place).0);
        match &ruling.opens {
            Opens::Traffic(more) => traffic.add(more),
            Opens::Caps(caps) => apps.extend(caps.keys().cloned()),
            Opens::Login { checks, users, .. } => {
                let mark = if *checks { " after a check" } else { "" };
                logins.extend(users.iter().map(|user| format!("{user}{mark}")));
            }
            Opens::Claim | Opens::Route | Opens::Attributes(_) => {}
        }
    }
    Cell {
        from,
        to,
        ports: traffic.to_string(),
        all: traffic.is_all(),
        logins: logins.into_iter().collect(),
        apps: apps.into_iter().collect(),
        lines: at.into_iter().collect(),
    }
}
