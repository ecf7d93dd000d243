//! The log.

use std::{convert::Infallible, time::Duration};

use api::event::{Bad, Event, Events, FOLLOW, Head, LIST, Query, Since, VERIFY, Verdict};
use axum::response::{
    IntoResponse, Response,
    sse::{self, KeepAlive, Sse},
};
use futures_util::stream::{self, Stream};

use super::{Routes, call::Call, refused::Refused, serve, serve_raw};
use crate::store::{EventFilter, LogRow, Store};

/// How often a follower's end of the log is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Entries that are read at once for a follower.
const PAGE: u64 = 256;

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(routes, &LIST, list);
    let routes = serve_raw(routes, FOLLOW.declared(), follow);
    serve(routes, &VERIFY, verify)
}

async fn list(call: Call, input: Query) -> Result<Events, Refused> {
    let limit = input.limit.unwrap_or(Query::LIMIT).min(Query::MOST);
    let filter = EventFilter { after: input.after, limit, kind: input.kind, subject: input.subject };
    let rows = call.history(move |store| store.events(&filter)).await?;
    Ok(Events { events: rows.into_iter().map(view).collect::<Result<_, _>>()? })
}

async fn follow(call: Call, input: Since) -> Result<Response, Refused> {
    let after = match input.after {
        Some(after) => after,
        None => call.history(Store::head_seq).await?,
    };
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(behind(call, after)).keep_alive(keep_alive).into_response())
}

/// Every entry behind `after`, for as long as the caller is welcome.
fn behind(call: Call, after: u64) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    let pages = stream::unfold((call, after), async |(call, after)| {
        loop {
            if !call.is_welcome() {
                return None;
            }
            let rows = page(&call, after).await.ok()?;
            if let Some(last) = rows.last().map(|row| row.seq) {
                return Some((rows, (call, last)));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    let events = futures_util::StreamExt::flat_map(pages, |rows| {
        stream::iter(rows.into_iter().filter_map(|row| {
            let event = view(row).ok()?;
            sse::Event::default().id(event.seq.to_string()).json_data(event).ok().map(Ok)
        }))
    });
    Box::pin(events)
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

fn view(row: LogRow) -> Result<Event, Refused> {
    Ok(Event {
        seq: row.seq,
        at: row.at.parse().map_err(|e| Refused::fault(&e))?,
        actor: row.actor,
        source: row.source,
        kind: row.kind,
        subject: row.subject,
        event: serde_json::from_str(&row.body).map_err(|e| Refused::fault(&e))?,
    })
}
