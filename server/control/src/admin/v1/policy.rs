//! The policy in force. A tool cannot be asked whether it means to widen access: here saving is meaning it.

use api::v1::{
    Nothing, Stamp,
    policy::{CHECK, GET, Policy, SET, Text},
    server::Ask,
};

use super::{
    super::{Routes, call::Call, policy},
    Answer, serve,
    unfit::Unfit,
};

/// The words by which tools know that the text itself is at fault.
const AT_FAULT: &str = "parsing policy from bytes: ";

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(routes, &GET, get);
    let routes = serve(routes, &SET, set);
    serve(routes, &CHECK, check)
}

async fn get(call: Call, _: Ask) -> Answer<Policy> {
    Ok(view(policy::in_force(&call).await?))
}

async fn set(call: Call, asked: Text) -> Answer<Policy> {
    let edit = api::policy::Edit::of(asked.policy).accepting();
    match policy::set(call, edit).await {
        Ok(changed) => Ok(view(changed.outcome)),
        Err(refused) if refused.code() == "policy_invalid" => Err(Unfit::from(refused).behind(AT_FAULT)),
        Err(refused) => Err(refused.into()),
    }
}

async fn check(call: Call, asked: Text) -> Answer<Nothing> {
    let verdict = policy::check(call, api::policy::Text { policy: asked.policy }).await?;
    if verdict.valid {
        return Ok(Nothing {});
    }
    let mistakes =
        verdict.errors.iter().map(|m| format!("line {}, column {}: {}", m.line, m.column, m.message));
    Err(Unfit::request(format!("{AT_FAULT}{}", mistakes.collect::<Vec<_>>().join("; "))))
}

/// Tools take null for a policy that cannot be set here: one that was never set is as old as time.
fn view(policy: api::policy::Policy) -> Policy {
    let updated = policy.updated.map(Stamp::from).unwrap_or_default();
    Policy { policy: policy.policy, updated_at: Some(updated) }
}
