//! Obeys commands, one after the other, until `quit` or the end of standard input.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use crate::command::Command;
use crate::sockets::Sockets;
use crate::{dial, echo, output, watch};

/// Every line gets one `answer` event with the line itself, `ok`, and the `result` or the `error`.
pub async fn obey(sockets: Sockets, limit: Duration) -> Result<()> {
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match line.parse() {
            Ok(Command::Quit) => return Ok(()),
            Ok(command) => run(&sockets, command, limit).await,
            Err(error) => Err(error),
        };
        output::say(&match answer {
            Ok(result) => json!({ "event": "answer", "command": line, "ok": true, "result": result }),
            Err(error) => {
                json!({ "event": "answer", "command": line, "ok": false, "error": format!("{error:#}") })
            }
        });
    }
    Ok(())
}

async fn run(sockets: &Sockets, command: Command, limit: Duration) -> Result<Value> {
    match command {
        Command::Own => sockets.own(limit).await,
        Command::Peer { to } => sockets.peer(&to, limit).await,
        Command::Watch { names } => watch::start(sockets.device()?, names, limit),
        Command::Serve { transport, port } => echo::start(sockets, transport, port, limit).await,
        Command::Dial { transport, to, port, count, size } => {
            let to = (sockets.resolve(&to, limit).await?, port).into();
            dial::dial(sockets, transport, to, dial::Load { count, size }, limit).await
        }
        Command::Quit => Ok(Value::Null),
    }
}
