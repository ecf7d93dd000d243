//! Refuses a policy that gives somebody more than the one in force.

use std::sync::Arc;

use api::Mistake;
use policy::{Difference, Document, Shift};
use world::{Prepared, World};

use super::{super::refused::Refused, roster};

/// Most gains that a refusal names.
const MOST: usize = 20;

/// Refuses when somebody who is known today gains something; also when that cannot be told.
pub(super) async fn refuse(world: &Arc<World>, prepared: &Prepared) -> Result<(), Refused> {
    if world.policy == *prepared {
        return Ok(());
    }
    let (world, prepared) = (world.clone(), prepared.clone());
    let compare = move || {
        let (roster, kinds) = roster::of(&world);
        let (older, newer) = (&*world.policy.policy, &*prepared.policy);
        Document::from(older).difference(&Document::from(newer), &roster, &kinds)
    };
    let found = tokio::task::spawn_blocking(compare).await.map_err(|e| Refused::fault(&e))?;
    match found {
        Ok(difference) if difference.is_narrowing() => Ok(()),
        Ok(difference) => Err(refusal(&difference)),
        Err(too_large) => {
            let detail = format!("it cannot be told whether this policy widens access: {too_large}");
            Err(Refused::widens(detail, Vec::new()))
        }
    }
}

fn refusal(difference: &Difference) -> Refused {
    let count = difference.widens().count();
    let more = if difference.complete { "" } else { " or more" };
    let detail = match count {
        0 => "it cannot be told whether this policy widens access: the change is too large".to_owned(),
        1 => format!("this policy widens access by one rule{more}"),
        _ => format!("this policy widens access in {count} ways{more}"),
    };
    let mut gains: Vec<Mistake> = difference.widens().take(MOST).map(gain).collect();
    if count > MOST {
        gains.push(Mistake { line: 1, column: 1, message: format!("and {} more", count - MOST), hint: None });
    }
    Refused::widens(detail, gains)
}

fn gain(shift: &Shift) -> Mistake {
    Mistake { line: shift.line.unwrap_or(1), column: 1, message: shift.to_string(), hint: None }
}
