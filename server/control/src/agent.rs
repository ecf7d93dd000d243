//! Where agents report: a report is taken from whoever proves to be the node that it is about.

mod turned;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use api::agent::{AUDIENCE, LONGEST, MESH_PATH, Mesh, REPORT_PATH, Report, State as Health, Taken};
use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, State},
    routing::{get, post},
};
use http::{HeaderMap, header};
use tokio::time::timeout;
use world::{Command, Node};

use crate::{
    doors::Doors,
    quota::{Party, Rate},
    reports::{News, Token},
    writer::Origin,
};
use turned::Turned;

const BODY_WITHIN: Duration = Duration::from_secs(10);
/// Reports of one machine.
const REPORT_EVERY: Duration = Duration::from_secs(2);
const REPORTS_AT_ONCE: u32 = 30;
/// Turns from well to unwell and back that go into the log; a machine that keeps turning is seen in its reports.
const TURN_EVERY: Duration = Duration::from_secs(120);
const TURNS_AT_ONCE: u32 = 10;

struct Desk {
    doors: Arc<Doors>,
    pace: Rate,
    turns: Rate,
}

/// The route on which agents report.
pub fn routes(doors: Arc<Doors>) -> Router {
    let pace = Rate::new(REPORT_EVERY, REPORTS_AT_ONCE);
    let turns = Rate::new(TURN_EVERY, TURNS_AT_ONCE);
    let routes = Router::new().route(REPORT_PATH, post(report)).route(MESH_PATH, get(mesh));
    routes.with_state(Arc::new(Desk { doors, pace, turns }))
}

/// An agent whose node is refused finds out whether this is another mesh than the one that it was in.
async fn mesh(State(desk): State<Arc<Desk>>) -> Json<Mesh> {
    Json(Mesh {
        database: desk.doors.reports.database.clone(),
        public_key: desk.doors.keyring.noise.public(),
    })
}

/// A token proves one report, so that who reads along on the way learns a report and gains nothing.
async fn report(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Taken>, Turned> {
    let Desk { doors, pace, .. } = &*desk;
    let token = bearer(&headers).and_then(|text| Token::read(text, &doors.keyring));
    let named = token.and_then(|token| Some((owner(doors, &token)?, token)));
    let Some((node, token)) = named else { return Err(stranger(doors, remote)) };
    pace.admits(Party::Machine(node.machine)).map_err(Turned::too_often)?;
    let read = timeout(BODY_WITHIN, to_bytes(body, LONGEST)).await;
    let late = |_| Turned::bad("the report does not come to an end");
    let body =
        read.map_err(late)?.map_err(|_| Turned::bad("the report is longer than 16 KiB, or was cut off"))?;
    if token.aud.strip_prefix(AUDIENCE) != Some(hex::encode(digest(&SHA256, &body)).as_str()) {
        return Err(stranger(doors, remote));
    }
    let report: Report =
        serde_json::from_slice(&body).map_err(|e| Turned::bad(&format!("this is no report: {e}")))?;
    let news = doors.reports.take(node.id, report).map_err(|e| Turned::bad(&e.to_string()))?;
    let acknowledged = news.acknowledged;
    desk.note(&node, remote, news).await;
    let notice = doors.hub.notice().0;
    Ok(Json(Taken { node: node.id, name: node.name.clone(), notice, acknowledged }))
}

impl Desk {
    /// What is news for others goes into the log. It is seen in the report whether that can be stored or not.
    async fn note(&self, node: &Node, remote: SocketAddr, news: News) {
        let acknowledged = news.acknowledges.then_some(Command::AcknowledgeNotice { id: node.id });
        let turned = news.turned.filter(|_| self.turns.admits(Party::Machine(node.machine)).is_ok());
        let turned =
            turned.map(|(state, failing)| Command::NoteHealth { id: node.id, state: word(state), failing });
        for command in acknowledged.into_iter().chain(turned) {
            let origin = Origin { actor: format!("node:{}", node.id), source: remote.ip().to_string() };
            if let Err(e) = self.doors.writer.submit(command, origin).await {
                tracing::warn!(error = %e, node = %node.id, "news of an agent is not in the log");
            }
        }
    }
}

fn word(state: Health) -> &'static str {
    match state {
        Health::Skip | Health::Pass => "pass",
        Health::Warn => "warn",
        Health::Unknown => "unknown",
        Health::Fail => "fail",
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// The node that a token names, while it is the same and good.
fn owner(doors: &Doors, token: &Token) -> Option<Arc<Node>> {
    let world = doors.hub.world();
    let node = world.nodes.get(token.sub)?;
    (node.node_key == token.node_key && node.accepted()).then(|| node.clone())
}

fn stranger(doors: &Doors, remote: SocketAddr) -> Turned {
    if let Err(spent) = doors.limits.stranger(remote) {
        doors.failed(remote.ip(), "too_many_calls");
        return Turned::too_often(spent);
    }
    doors.failed(remote.ip(), "agent_token");
    Turned::stranger()
}
