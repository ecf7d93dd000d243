//! Whoever holds the secret: it is given the new one, and seen working.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use ident::Secret;
use serde::{Deserialize, Serialize};

use super::kind::{AtWork, Kind};
use crate::talk::{Client, Context, Failure};

/// How often the consumer is asked.
const BETWEEN: Duration = Duration::from_millis(200);

/// How to reach it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Consumer {
    pub deploy: Option<String>,
    pub verify_url: Option<String>,
    pub verify_command: Option<String>,
    pub verify_here: bool,
    pub within_seconds: u64,
}

impl Consumer {
    /// Whether it can say that it works.
    pub fn can_tell(&self) -> bool {
        self.verify_url.is_some() || self.verify_command.is_some()
    }
    /// Gives it what stands in the file; false when that is somebody else's work.
    pub fn deploy(&self, base: &Path, held: Stdio) -> Result<bool, Failure> {
        let Some(command) = &self.deploy else { return Ok(false) };
        execute(command, base, "deploy", held).map(|()| true)
    }
    /// Waits until it works. With a new credential, the server must have seen that one at work.
    pub async fn verify(
        &self,
        context: &Context,
        kind: &Kind,
        new: Option<New<'_>>,
        base: &Path,
    ) -> Result<(), Failure> {
        let until = Instant::now() + Duration::from_secs(self.within_seconds);
        loop {
            let missing = self.missing(context, kind, new, base).await?;
            let Some(missing) = missing else { return Ok(()) };
            if Instant::now() >= until {
                let failure =
                    Failure::unknown(format!("not verified within {} s: {missing}", self.within_seconds));
                return Err(failure.code("not_verified").hint(
                    "both credentials are valid: see to the consumer, then `meshctl secret resume` or `abort`",
                ));
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// What is not proved yet.
    async fn missing(
        &self,
        context: &Context,
        kind: &Kind,
        new: Option<New<'_>>,
        base: &Path,
    ) -> Result<Option<String>, Failure> {
        if let Some(url) = &self.verify_url
            && let Err(why) = answers(url).await
        {
            return Ok(Some(why));
        }
        if let Some(command) = &self.verify_command
            && let Err(e) = execute(command, base, "verify", Stdio::null())
        {
            return Ok(Some(e.detail));
        }
        let Some(New { id: Some(id), value }) = new else { return Ok(None) };
        if self.verify_here {
            // A key that may do other things was let in all the same.
            match context.read_as(&api::apikey::LIST, &[], &(), text(value)?).await {
                Err(failure) if failure.code != api::code::LACKS_SCOPE => return Err(failure),
                _ => {}
            }
        }
        Ok(match kind.at_work(context, id, value).await? {
            AtWork::Yes | AtWork::CannotTell => None,
            AtWork::NotSeen => Some(format!("the server has not seen the new credential {id} at work")),
        })
    }
}

/// The new credential.
#[derive(Clone, Copy)]
pub struct New<'a> {
    pub id: Option<&'a str>,
    pub value: &'a Secret<Vec<u8>>,
}

fn text(value: &Secret<Vec<u8>>) -> Result<Secret<String>, Failure> {
    let text = std::str::from_utf8(value.expose()).map_err(|_| Failure::failed("the secret is not text"))?;
    Ok(Secret::new(text.trim().to_owned()))
}

async fn answers(url: &str) -> Result<(), String> {
    let status = Client::probe(url).await.map_err(|why| format!("{url}: {why}"))?;
    if (200..300).contains(&status) { Ok(()) } else { Err(format!("{url} answers {status}")) }
}

/// Runs a line in the shell; what it says goes to standard error.
pub fn execute(line: &str, base: &Path, purpose: &str, stdin: Stdio) -> Result<(), Failure> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", line]).current_dir(if base.as_os_str().is_empty() { Path::new(".") } else { base });
    let stderr = std::io::stderr();
    let status = command.stdin(stdin).stdout(stderr).status();
    let status = status.map_err(|e| Failure::failed(format!("the {purpose} command: {e}")))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::failed(format!("the {purpose} command: {status}")).code("command_failed"))
}
