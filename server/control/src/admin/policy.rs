//! The policy in force.

use api::{
    Changed,
    policy::{CHECK, GET, Policy, SET, Text, Verdict},
};
use jiff::Timestamp;
use policy::PolicyErrors;
use world::{Command, Prepared};

use super::{
    Routes,
    call::Call,
    refused::{Refused, mistakes},
    serve,
};
use crate::store::EventFilter;

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(routes, &GET, get);
    let routes = serve(routes, &SET, set);
    serve(routes, &CHECK, check)
}

async fn get(call: Call, (): ()) -> Result<Policy, Refused> {
    let updated = updated(&call).await?;
    let policy = if updated.is_some() { call.world.policy.policy.text().to_owned() } else { String::new() };
    Ok(Policy { policy, updated })
}

async fn set(call: Call, input: Text) -> Result<Changed<Policy>, Refused> {
    let prepared = prepare(&call, input.policy.clone()).await?.map_err(|e| Refused::policy(&e))?;
    let outcome = call.carry_out(Command::SetPolicy { prepared }).await?;
    let updated = updated(&call).await?;
    Ok(call.answer(outcome.changed, Policy { policy: input.policy, updated }))
}

async fn check(call: Call, input: Text) -> Result<Verdict, Refused> {
    Ok(match prepare(&call, input.policy).await? {
        Ok(_) => Verdict { valid: true, errors: Vec::new() },
        Err(errors) => Verdict { valid: false, errors: mistakes(&errors) },
    })
}

/// When the policy came into force; none when none was ever set.
pub(super) async fn updated(call: &Call) -> Result<Option<Timestamp>, Refused> {
    let filter = EventFilter { limit: 1, kind: Some("policy_set".into()), ..EventFilter::default() };
    let rows = call.history(move |store| store.events(&filter)).await?;
    Ok(rows.first().and_then(|row| row.at.parse().ok()))
}

/// Compiling and the policy's own tests take their time; that is not taken from the threads that serve.
async fn prepare(call: &Call, text: String) -> Result<Result<Prepared, PolicyErrors>, Refused> {
    let world = call.world.clone();
    let prepare = move || {
        let prepared = Prepared::parse(&text)?;
        world.try_policy(&prepared.policy)?;
        Ok(prepared)
    };
    tokio::task::spawn_blocking(prepare).await.map_err(|e| Refused::fault(&e))
}
