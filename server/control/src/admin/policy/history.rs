//! The policies that were in force.

use api::policy::{HISTORY, History, Page, Past, VERSION, Version};

use super::super::{Routes, call::Call, refused::Refused, serve};
use crate::store::PolicyVersion;

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(routes, &HISTORY, history);
    serve(routes, &VERSION, version)
}

async fn history(call: Call, page: Page) -> Result<History, Refused> {
    let limit = page.limit.unwrap_or(Page::LIMIT).min(Page::MOST);
    let versions = call.history(move |store| store.policy_versions(limit, page.before)).await?;
    Ok(History { versions: versions.into_iter().map(view).collect::<Result<_, _>>()? })
}

async fn version(call: Call, (): ()) -> Result<Past, Refused> {
    let missing = || Refused::not_found(&format!("there is no version {} of the policy", call.name));
    let is_number = call.name.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = call.name.parse().ok().filter(|_| is_number).ok_or_else(missing)?;
    let found = call.history(move |store| store.policy_version(number)).await?;
    let (version, policy) = found.ok_or_else(missing)?;
    Ok(Past { version: view(version)?, policy })
}

/// The newest one; none when none was ever set.
pub(super) async fn newest(call: &Call) -> Result<Option<PolicyVersion>, Refused> {
    Ok(call.history(|store| store.policy_versions(1, None)).await?.into_iter().next())
}

fn view(found: PolicyVersion) -> Result<Version, Refused> {
    let PolicyVersion { version, seq, at, actor, source, message, bytes } = found;
    let at = at.parse().map_err(|e| Refused::fault(&e))?;
    Ok(Version { version, at, author: actor, source, message, bytes, seq })
}
