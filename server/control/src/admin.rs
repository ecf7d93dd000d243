//! The admin API: the operations of `api` over the World and its writer.
//!
//! One handler per operation in the file of its noun; [`entry`] lets callers in, [`refused`] turns them away.

mod agent;
mod apikey;
mod backup;
mod call;
mod cors;
mod dns;
mod entry;
mod event;
mod key;
mod login;
mod node;
mod policy;
mod reference;
mod refused;
mod role;
mod route;
mod server;
mod told;
mod user;
mod v1;

use std::{future::Future, sync::Arc, time::Instant};

use api::{Declared, Method, Operation};
use axum::{
    Json, Router,
    extract::{Path, Request, State, rejection::PathRejection},
    response::{IntoResponse, Response},
    routing::{MethodFilter, any, on},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::doors::Doors;
use call::Call;
use refused::Refused;

/// Every operation. Requests bring a [`crate::arrival::LocalPeer`] or a credential. Pages of these origins may call.
pub fn routes(doors: Arc<Doors>, cors_origins: &[String]) -> Router {
    let nouns = [
        server::add,
        user::add,
        node::add,
        agent::add,
        login::add,
        route::add,
        dns::add,
        key::add,
        apikey::add,
        role::add,
        policy::add,
        backup::add,
        event::add,
    ];
    let routes = nouns.into_iter().fold(Router::new(), |routes, add| add(routes));
    let routes = routes
        .merge(reference::routes())
        .route("/api/mesh/{*rest}", any(async || Refused::no_such_operation()))
        .method_not_allowed_fallback(async || Refused::wrong_method())
        .with_state(doors.clone())
        .merge(v1::routes(doors.clone()));
    cors::allow(routes, cors_origins)
}

/// The same paths where nobody is let in: a listener on which others could read an API key.
pub fn closed() -> Router {
    let ours = reference::routes().route("/api/mesh/{*rest}", any(async || Refused::in_clear()));
    ours.merge(v1::closed())
}

/// What anybody may ask: which interface is spoken here, and whether the database answers.
pub fn open(doors: Arc<Doors>) -> Router {
    v1::open(doors)
}

type Routes = Router<Arc<Doors>>;
/// What a path names, if it can be read.
type Names = Result<Path<Vec<(String, String)>>, PathRejection>;

/// Answers an operation with what `answer` returns.
fn serve<I, O, F, Fut>(routes: Routes, operation: &Operation<I, O>, answer: F) -> Routes
where
    I: DeserializeOwned + Send + 'static,
    O: Serialize + 'static,
    F: Fn(Call, I) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<O, Refused>> + Send,
{
    serve_raw(routes, operation.declared(), move |call, input| {
        let answer = answer(call, input);
        async move { Ok(Json(answer.await?).into_response()) }
    })
}

/// Answers an operation with a response of any kind.
fn serve_raw<I, F, Fut>(routes: Routes, operation: Declared, answer: F) -> Routes
where
    I: DeserializeOwned + Send + 'static,
    F: Fn(Call, I) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Response, Refused>> + Send,
{
    let handler = move |State(doors): State<Arc<Doors>>, names: Names, request: Request| {
        let answer = answer.clone();
        async move {
            let (begun, metrics) = (Instant::now(), doors.metrics.clone());
            let outcome = attend(operation, doors, names, request, answer).await;
            let response = outcome.unwrap_or_else(IntoResponse::into_response);
            let status = response.status().as_u16();
            metrics.called(operation.noun, &operation.method, status, begun.elapsed());
            response
        }
    };
    let method = match operation.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Delete => MethodFilter::DELETE,
    };
    routes.route(operation.path, on(method, handler))
}

/// Lets the caller in, answers, and notes what was decided against.
async fn attend<I, F, Fut>(
    operation: Declared,
    doors: Arc<Doors>,
    names: Names,
    request: Request,
    answer: F,
) -> Result<Response, Refused>
where
    I: DeserializeOwned,
    F: Fn(Call, I) -> Fut,
    Fut: Future<Output = Result<Response, Refused>>,
{
    let names = names.map(|Path(names)| names).map_err(Refused::bad_request);
    let (call, input) = entry::enter(operation, doors, names, request).await?;
    let note = call.note();
    let outcome = answer(call, input).await;
    if let Err(refused) = &outcome {
        note.refusal(operation, refused).await;
    }
    outcome
}
