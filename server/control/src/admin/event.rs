//! The log.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use api::event::{Bad, Event, Events, FOLLOW, Head, LIST, Query, Since, VERIFY, Verdict};
use axum::response::{
    IntoResponse, Response,
    sse::{self, KeepAlive, Sse},
};
use futures_util::stream::{self, Stream};

use super::{Routes, call::Call, refused::Refused, serve, serve_raw};
use crate::{
    quota::{Pass, Spent},
    store::{EventFilter, LogRow, Store},
};

/// How often a follower's end of the log is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// When to ask again who follows too often already.
const STREAMS_AGAIN: Duration = Duration::from_secs(30);
/// Entries that are read at once for a follower.
const PAGE: u64 = 256;

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(routes, &LIST, list);
    let routes = serve_raw(routes, FOLLOW.declared(), follow);
    serve(routes, &VERIFY, verify)
}

async fn list(call: Call, input: Query) -> Result<Events, Refused> {
    let limit = input.limit.unwrap_or(Query::LIMIT).min(Query::MOST);
    let Query { after, kind, subject, actor, .. } = input;
    let filter = EventFilter { after, limit, kind, subject, actor };
    let rows = call.history(move |store| store.events(&filter)).await?;
    Ok(Events { events: rows.into_iter().map(view).collect::<Result<_, _>>()? })
}

async fn follow(call: Call, input: Since) -> Result<Response, Refused> {
    let pass = call.doors.limits.stream(call.credential());
    let pass = pass.ok_or_else(|| Refused::too_often(Spent(STREAMS_AGAIN)))?;
    let after = match input.after.or(call.last_event) {
        Some(after) => after,
        None => call.history(Store::head_seq).await?,
    };
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(behind(call, after, pass)).keep_alive(keep_alive).into_response())
}

/// Every entry behind `after`, for as long as the caller is welcome; asked again before each, for a reader may be slow.
fn behind(call: Call, after: u64, pass: Pass) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    let rows = VecDeque::new();
    let events = stream::unfold((call, after, rows, pass), async |(call, mut after, mut rows, pass)| {
        loop {
            if !call.is_welcome() {
                return None;
            }
            if let Some(row) = rows.pop_front() {
                let Some(event) = told(row) else { continue };
                return Some((Ok(event), (call, after, rows, pass)));
            }
            rows = page(&call, after).await.ok()?.into();
            match rows.back() {
                Some(row) => after = row.seq,
                None => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    });
    Box::pin(events)
}

fn told(row: LogRow) -> Option<sse::Event> {
    let event = view(row).ok()?;
    sse::Event::default().id(event.seq.to_string()).json_data(event).ok()
}

async fn page(call: &Call, after: u64) -> Result<Vec<LogRow>, Refused> {
    let filter = EventFilter { after: Some(after), limit: PAGE, ..EventFilter::default() };
    call.history(move |store| store.events(&filter)).await
}

async fn verify(call: Call, (): ()) -> Result<Verdict, Refused> {
    let found = call.history(Store::verify_events).await?;
    Ok(Verdict {
        intact: found.broken.is_none(),
        checked: found.rows,
        head: (found.rows > 0).then_some(Head { seq: found.rows, hash: found.head }),
        first_bad: found.broken.map(|(seq, reason)| Bad { seq, reason }),
    })
}

/// Without what credentials are compared with: that is for the database alone.
fn view(row: LogRow) -> Result<Event, Refused> {
    let mut event: serde_json::Value = serde_json::from_str(&row.body).map_err(|e| Refused::fault(&e))?;
    if let Some(key) = event.get_mut("key").and_then(serde_json::Value::as_object_mut) {
        key.remove("verifier");
    }
    Ok(Event {
        seq: row.seq,
        at: row.at.parse().map_err(|e| Refused::fault(&e))?,
        actor: row.actor,
        source: row.source,
        kind: row.kind,
        subject: row.subject,
        event,
    })
}
