//! Credentials of this API.

use api::{
    Changed,
    apikey::{
        ApiKey, ApiKeys, CREATE, Create, Created, DEFAULT_EXPIRY_SECONDS, LIST, One, REVOKE, VERIFY, Verdict,
    },
    key::{Plaintext, Verify},
};
use ident::{ApiKeyId, Secret};
use jiff::Timestamp;
use world::{Answer, Command, Refusal};

use super::{Routes, call::Call, key::in_seconds, refused::Refused, serve};
use crate::keyring::{mint, present};

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(routes, &LIST, list);
    let routes = serve(routes, &CREATE, create);
    let routes = serve(routes, &VERIFY, verify);
    serve(routes, &REVOKE, revoke)
}

async fn list(call: Call, (): ()) -> Result<ApiKeys, Refused> {
    Ok(ApiKeys { apikeys: call.world.api_keys.values().map(|k| view(k)).collect() })
}

async fn create(call: Call, input: Create) -> Result<Changed<Created>, Refused> {
    if input.description.len() > 500 {
        return Err(Refusal::OutOfRange { what: "description", rule: "at most 500 bytes" }.into());
    }
    let secret = mint();
    let command = Command::CreateApiKey {
        description: input.description,
        verifier: call.doors.keyring.verifier(&secret),
        scopes: input.scopes,
        by: call.credential(),
        expires: in_seconds(input.expiry_seconds.unwrap_or(DEFAULT_EXPIRY_SECONDS))?,
    };
    let outcome = call.carry_out(command).await?;
    let (true, Answer::ApiKey(id)) = (!call.is_check(), outcome.answer) else {
        return Ok(call.answer(outcome.changed, Created { apikey: None, secret: None }));
    };
    let apikey = outcome.world.api_keys.get(&id).map(|k| view(k));
    let secret = Some(Plaintext::new(format!("mk-api-{id}-{}", secret.expose())));
    Ok(call.answer(outcome.changed, Created { apikey, secret }))
}

async fn verify(call: Call, input: Verify) -> Result<Verdict, Refused> {
    let no = |reason: &str, apikey| Verdict { works: false, reason: Some(reason.to_owned()), apikey };
    let presented = present("api", &Secret::new(input.secret.expose().to_owned()));
    let known = presented.and_then(|p| {
        let key = call.world.api_keys.get(&ApiKeyId::new(p.id).ok()?)?;
        key.verifier.matches(&call.doors.keyring.verifier(&p.secret)).then_some(key)
    });
    let Some(known) = known else { return Ok(no("no API key of this server", None)) };
    let apikey = Some(view(known));
    Ok(match known.revoked {
        Some(_) => no("it was revoked", apikey),
        None if known.expires <= Timestamp::now() => no("it has expired", apikey),
        None => Verdict { works: true, reason: None, apikey },
    })
}

async fn revoke(call: Call, (): ()) -> Result<Changed<One>, Refused> {
    let missing = || Refusal::NotFound { noun: "API key", name: call.name.clone() };
    let id: ApiKeyId = call.name.parse().map_err(|_| missing())?;
    let outcome = call.carry_out(Command::RevokeApiKey { id, by: call.credential() }).await?;
    let key = outcome.world.api_keys.get(&id).ok_or_else(missing)?;
    Ok(call.answer(outcome.changed, One { apikey: view(key) }))
}

fn view(key: &world::ApiKey) -> ApiKey {
    ApiKey {
        id: key.id,
        masked: format!("mk-api-{}-…", key.id),
        description: key.description.clone(),
        scopes: key.scopes.clone(),
        created: key.created,
        expires: key.expires,
        last_used: key.last_used,
        revoked: key.revoked,
    }
}
