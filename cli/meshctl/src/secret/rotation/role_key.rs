//! Pre-auth keys of a role. They carry no text of ours: a lifetime that is some odd seconds shorter than the role's,
//! and an id above all that were there, tell the ones of a rotation.

use api::{
    key::{CREATE, Create, Key, LIST, REVOKE, VERIFY, Verify},
    role,
};
use ident::Secret;

use super::kind::{AtWork, Kind, Made, presented};
use crate::talk::{Check, Context, Failure};

const NOT_A_CHECK: Check = Check { check: false };

/// Chooses the lifetime that marks the keys of this rotation.
pub async fn plan(context: &Context, name: String, asked: Option<u64>) -> Result<Kind, Failure> {
    let role = context.read(&role::SHOW, &[&name], &()).await?.role;
    let whole = asked.unwrap_or(role.key.expiry_seconds);
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).map_err(|_| Failure::failed("the operating system gives no random bytes"))?;
    let odd = 1 + u64::from_be_bytes(bytes) % (whole / 10).clamp(1, 3600);
    let lifetime = whole.saturating_sub(odd).max(1);
    let above = all(context).await?.iter().filter_map(number).max().unwrap_or(0);
    Ok(Kind::RoleKey { role: name, lifetime, above })
}

/// The key that a value is, when the server knows it and it is not void. Another key of the same id is not it.
pub async fn identify(context: &Context, value: &Secret<Vec<u8>>) -> Result<Option<String>, Failure> {
    let verdict = context.read(&VERIFY, &[], &Verify { secret: presented(value) }).await?;
    Ok(verdict.key.filter(|k| k.revoked.is_none()).map(|k| k.id.to_string()))
}

pub async fn create(context: &Context, role: &str, lifetime: u64) -> Result<Made, Failure> {
    let input = Create {
        role: role.to_owned(),
        user: None,
        expiry_seconds: Some(lifetime),
        reusable: None,
        ephemeral: None,
        allow_no_access: true,
    };
    let made = context.write(&CREATE, &[], &input, NOT_A_CHECK).await?.outcome;
    let (Some(key), Some(secret)) = (made.key, made.secret) else {
        return Err(Failure::failed("the server made a key and did not tell it"));
    };
    Ok(Made { id: Some(key.id.to_string()), secret: Secret::new(secret.expose().as_bytes().to_vec()) })
}

pub async fn sweep(
    context: &Context,
    role: &str,
    lifetime: u64,
    above: u64,
    keep: Option<&str>,
) -> Result<(), Failure> {
    let ours = |k: &&Key| {
        let seconds = k.expires.duration_since(k.created).as_secs_f64().round();
        k.role == role && k.revoked.is_none() && number(k) > Some(above) && seconds == lifetime as f64
    };
    for key in all(context).await?.iter().filter(ours) {
        if keep != Some(&key.id.to_string()) {
            revoke(context, &key.id.to_string()).await?;
        }
    }
    Ok(())
}

/// The server says whether the key would let a device in.
pub async fn at_work(context: &Context, value: &Secret<Vec<u8>>) -> Result<AtWork, Failure> {
    let verdict = context.read(&VERIFY, &[], &Verify { secret: presented(value) }).await?;
    Ok(if verdict.works { AtWork::Yes } else { AtWork::NotSeen })
}

pub async fn revoke(context: &Context, id: &str) -> Result<(), Failure> {
    let gone = all(context).await?.iter().all(|k| k.id.to_string() != id || k.revoked.is_some());
    if !gone {
        context.write(&REVOKE, &[id], &(), NOT_A_CHECK).await?;
    }
    Ok(())
}

async fn all(context: &Context) -> Result<Vec<Key>, Failure> {
    Ok(context.read(&LIST, &[], &()).await?.keys)
}

fn number(key: &Key) -> Option<u64> {
    key.id.to_string().parse().ok()
}
