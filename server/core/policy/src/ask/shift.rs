//! One thing that somebody gains or loses.

use std::fmt;

use serde::Serialize;

use super::party::Side;
use crate::{Device, Roster};

/// What it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Protocols and ports.
    Network,
    /// A login by SSH.
    Login,
    /// What may be done in an application.
    App,
    /// Putting a tag on a device.
    Tag,
    /// Serving a route without approval.
    Route,
    /// Being told to be something.
    Attribute,
}

/// Which of the pairs of two sides are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// Every source with every destination.
    #[default]
    Anybody,
    /// Those of different people: one's own devices were open already, or stay open.
    Others,
    /// Those of the same person.
    Own,
}

/// What some sources gain or lose on some destinations: every source on every destination, of [`Self::whose`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shift {
    /// What it is about.
    pub kind: Kind,
    /// `22`, `tcp 443`, `as root`, names of capabilities.
    pub what: String,
    /// Who.
    pub from: Vec<Side>,
    /// On what.
    pub to: Vec<Side>,
    /// Whose devices the destinations are, seen from each source.
    pub whose: Whose,
    /// Pairs of devices that are there.
    pub pairs: u64,
    /// Nobody can use it yet: it needs a tag or a person of whom only the newer policy speaks.
    pub foretold: bool,
    /// Line of the rule that gives it (or gave it), in its policy.
    pub line: Option<u32>,
    /// The rule, in one line.
    pub rule: String,
    #[serde(skip)]
    pub(crate) sources: Vec<usize>,
    #[serde(skip)]
    pub(crate) destinations: Vec<usize>,
    #[serde(skip)]
    pub(crate) own: bool,
}

impl Shift {
    /// The pairs of devices by name, of the roster that the question was about.
    pub fn each<'a>(&'a self, roster: &'a Roster) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        let device = |at: &usize| roster.devices.get(*at);
        self.sources.iter().filter_map(device).flat_map(move |from| {
            let named = self.destinations.iter().filter_map(device);
            let owned = roster.devices.iter().filter(|to| self.own && is_same_persons(from, to));
            let others = named.filter(|to| self.whose.holds(from, to)).chain(owned);
            others.filter(|to| to.name != from.name).map(|to| (from.name.as_str(), to.name.as_str()))
        })
    }

    /// The sides in a few words: `tag:web (3), group:ops (2), 7 more`.
    pub fn names(sides: &[Side]) -> String {
        const MOST: usize = 4;
        let text = |side: &Side| match side.devices {
            0 => side.name.clone(),
            devices => format!("{} ({devices})", side.name),
        };
        let mut texts: Vec<_> = sides.iter().take(MOST).map(text).collect();
        if sides.len() > MOST {
            texts.push(format!("{} more", sides.len() - MOST));
        }
        texts.join(", ")
    }
}

impl Whose {
    fn holds(self, from: &Device, to: &Device) -> bool {
        match self {
            Self::Anybody => true,
            Self::Others => !is_same_persons(from, to),
            Self::Own => is_same_persons(from, to),
        }
    }

    /// What follows the destinations, where it is not everybody's.
    pub fn words(self) -> &'static str {
        match self {
            Self::Anybody => "",
            Self::Others => " of other people",
            Self::Own => " of the same person",
        }
    }
}

fn is_same_persons(a: &Device, b: &Device) -> bool {
    a.person().is_some() && a.person() == b.person()
}

/// `tag:laptop (3) → tag:server (40): 22`
impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} → {}{}: {}",
            Self::names(&self.from),
            Self::names(&self.to),
            self.whose.words(),
            self.what
        )
    }
}
