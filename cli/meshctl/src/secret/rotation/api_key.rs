//! API keys: the description carries the rotation's id.

use api::{
    apikey::{ApiKey, CREATE, Create, LIST, REVOKE, VERIFY},
    key::Verify,
};
use ident::Secret;

use super::kind::{AtWork, Made, presented};
use crate::talk::{Check, Context, Failure};

const NOT_A_CHECK: Check = Check { check: false };

/// The key that a value is, when the server knows it and it is not void. Another key of the same id is not it.
pub async fn identify(context: &Context, value: &Secret<Vec<u8>>) -> Result<Option<String>, Failure> {
    let verdict = context.read(&VERIFY, &[], &Verify { secret: presented(value) }).await?;
    Ok(verdict.apikey.filter(|k| k.revoked.is_none()).map(|k| k.id.to_string()))
}

pub async fn create(
    context: &Context,
    rotation: &str,
    lifetime: Option<u64>,
    old: Option<&str>,
) -> Result<Made, Failure> {
    let scopes = match old {
        Some(old) => all(context).await?.into_iter().find(|k| k.id.to_string() == old).map(|k| k.scopes),
        None => None,
    };
    let input = Create { description: description(rotation), scopes, expiry_seconds: lifetime };
    let made = context.write(&CREATE, &[], &input, NOT_A_CHECK).await?.outcome;
    let (Some(key), Some(secret)) = (made.apikey, made.secret) else {
        return Err(Failure::failed("the server made a key and did not tell it"));
    };
    Ok(Made { id: Some(key.id.to_string()), secret: Secret::new(secret.expose().as_bytes().to_vec()) })
}

pub async fn sweep(context: &Context, rotation: &str, keep: Option<&str>) -> Result<(), Failure> {
    let ours = description(rotation);
    for key in all(context).await?.iter().filter(|k| k.description == ours && k.revoked.is_none()) {
        if keep != Some(&key.id.to_string()) {
            revoke(context, &key.id.to_string()).await?;
        }
    }
    Ok(())
}

pub async fn at_work(context: &Context, id: &str) -> Result<AtWork, Failure> {
    let keys = all(context).await?;
    let key = keys.iter().find(|k| k.id.to_string() == id);
    let used = key.is_some_and(|k| k.revoked.is_none() && k.last_used.is_some());
    Ok(if used { AtWork::Yes } else { AtWork::NotSeen })
}

pub async fn revoke(context: &Context, id: &str) -> Result<(), Failure> {
    let gone = all(context).await?.iter().all(|k| k.id.to_string() != id || k.revoked.is_some());
    if !gone {
        context.write(&REVOKE, &[id], &(), NOT_A_CHECK).await?;
    }
    Ok(())
}

async fn all(context: &Context) -> Result<Vec<ApiKey>, Failure> {
    Ok(context.read(&LIST, &[], &()).await?.apikeys)
}

fn description(rotation: &str) -> String {
    format!("rotation {rotation}")
}
