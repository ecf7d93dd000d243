//! The server's Noise key. The server keeps the journal: it accepts both keys, over restarts, until the old one is retired.

use std::time::{Duration, Instant};

use api::{
    code,
    server_key::{Previous, RETIRE, ROTATE, Retire, SHOW},
};
use ident::MachineKey;
use serde::Serialize;

use crate::talk::{Check, Context, Failure, Render, Screen};

const BETWEEN: Duration = Duration::from_secs(1);
const NOT_A_CHECK: Check = Check { check: false };

/// What became of it.
#[derive(Serialize)]
pub struct Rotated {
    changed: bool,
    check: bool,
    key: MachineKey,
    retired: Option<MachineKey>,
}

/// Makes another key, unless that is under way; retires the one before once nobody uses it.
pub async fn rotate(context: &Context, within: u64, check: Check) -> Result<Rotated, Failure> {
    let found = context.read(&SHOW, &[], &()).await?;
    if check.check {
        return Ok(Rotated { changed: true, check: true, key: found.key, retired: None });
    }
    if found.previous.is_none() {
        context.write(&ROTATE, &[], &(), NOT_A_CHECK).await?;
    }
    let until = Instant::now() + Duration::from_secs(within);
    loop {
        let shown = context.read(&SHOW, &[], &()).await?;
        let Some(previous) = shown.previous else {
            return Err(Failure::failed("somebody else retired the old key meanwhile").code("under_way"));
        };
        match context.write(&RETIRE, &[], &Retire { force: false }, NOT_A_CHECK).await {
            Ok(change) => {
                let key = change.outcome.key;
                return Ok(Rotated { changed: true, check: false, key, retired: Some(previous.key) });
            }
            Err(failure) if failure.code != code::KEY_IN_USE => return Err(failure),
            Err(_) if Instant::now() >= until => return Err(still_used(&previous)),
            Err(_) => tokio::time::sleep(BETWEEN).await,
        }
    }
}

fn still_used(previous: &Previous) -> Failure {
    let names: Vec<_> = previous.in_the_way().map(|device| device.name.as_str()).collect();
    let detail = format!("both keys are accepted: {} may use the old one", names.join(", "));
    Failure::unknown(detail).code("not_verified").hint(
        "start tailscaled again there, then the same command; `meshctl server key retire --force` cuts them off",
    )
}

impl Render for Rotated {
    fn render(&self, _: &Screen) -> String {
        match (&self.retired, self.check) {
            (_, true) => format!("would rotate {}\n", self.key),
            (Some(old), false) => {
                format!("rotated: clients are told {}, {old} is accepted no more\n", self.key)
            }
            (None, false) => format!("clients are told {}\n", self.key),
        }
    }
}
