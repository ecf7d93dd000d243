//! Credentials of this interface: the same as those of our own.

use api::v1::{
    Nothing,
    apikey::{ApiKey, ApiKeys, CREATE, Create, Created, DELETE, EXPIRE, LIST, Which},
    server::Ask,
};
use ident::ApiKeyId;
use jiff::Timestamp;
use serde_json::Value;
use world::Command;

use super::{
    super::{Routes, apikey, call::Call, refused::Refused},
    Answer,
    node::moment,
    serve,
    unfit::Unfit,
};

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(routes, &LIST, list);
    let routes = serve(routes, &CREATE, create);
    let routes = serve(routes, &EXPIRE, void);
    serve(routes, &DELETE, void)
}

async fn list(call: Call, _: Ask) -> Answer<ApiKeys> {
    Ok(ApiKeys { api_keys: call.world.api_keys.values().map(|key| view(key)).collect() })
}

async fn create(call: Call, asked: Create) -> Answer<Created> {
    let expires = moment("body.expiration", asked.expiration)?;
    let expiry_seconds = expires.map(|at| at.duration_since(Timestamp::now()).as_secs().try_into());
    let past = |_| Unfit::member("body.expiration", Value::Null, "a time in the future is wanted");
    let input = api::apikey::Create {
        description: "by headscale's interface".to_owned(),
        expiry_seconds: expiry_seconds.transpose().map_err(past)?,
        ..Default::default()
    };
    let made = apikey::create(call, input).await?.outcome;
    let secret = made.secret.ok_or_else(|| Refused::fault(&"no secret in the answer"))?;
    Ok(Created { api_key: secret.expose().to_owned() })
}

async fn void(call: Call, asked: Which) -> Answer<Nothing> {
    let id = id(&asked)?;
    call.carry_out(Command::RevokeApiKey { id, by: call.credential() }).await?;
    Ok(Nothing {})
}

/// By number or by what its text begins with, and not by two different ones.
fn id(asked: &Which) -> Answer<ApiKeyId> {
    let text = asked.prefix.strip_prefix("mk-api-").unwrap_or(&asked.prefix);
    let text = text.split('-').next().unwrap_or_default();
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let by_prefix: Option<ApiKeyId> = text.parse().ok().filter(|_| digits);
    match (ApiKeyId::new(asked.id).ok(), by_prefix) {
        (Some(id), None) if asked.prefix.is_empty() => Ok(id),
        (None, Some(id)) => Ok(id),
        (Some(id), Some(other)) if id == other => Ok(id),
        (Some(_), _) => Err(Unfit::member("prefix", Value::Null, "it names another API key than id does")),
        (None, None) => {
            let message = "no API key of this server: mk-api-ID, or its id";
            Err(Unfit::member("prefix", Value::Null, message))
        }
    }
}

fn view(key: &world::ApiKey) -> ApiKey {
    ApiKey {
        id: key.id.get(),
        prefix: format!("mk-api-{}-***", key.id),
        expiration: Some(key.revoked.map_or(key.expires, |at| at.min(key.expires)).into()),
        created_at: Some(key.created.into()),
        last_seen: key.last_used.map(Into::into),
    }
}
