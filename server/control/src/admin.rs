//! The admin API: the operations of `api` over the World and its writer.
//!
//! One handler per operation in the file of its noun; [`entry`] lets callers in, [`refused`] turns them away.

mod apikey;
mod call;
mod cors;
mod dns;
mod entry;
mod event;
mod key;
mod login;
mod node;
mod policy;
mod refused;
mod role;
mod route;
mod server;
mod user;
mod v1;

use std::{future::Future, sync::Arc};

use api::{Declared, Method, Operation};
use axum::{
    Json, Router,
    extract::{Path, Request, State},
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
        login::add,
        route::add,
        dns::add,
        key::add,
        apikey::add,
        role::add,
        policy::add,
        event::add,
    ];
    let routes = nouns.into_iter().fold(Router::new(), |routes, add| add(routes));
    let routes = routes
        .route("/api/mesh/{*rest}", any(async || Refused::no_such_operation()))
        .method_not_allowed_fallback(async || Refused::no_such_operation())
        .with_state(doors.clone())
        .merge(v1::routes(doors.clone()));
    cors::allow(routes, cors_origins)
}

/// The same paths where nobody is let in: a listener on which others could read an API key.
pub fn closed() -> Router {
    Router::new().route("/api/mesh/{*rest}", any(async || Refused::in_clear())).merge(v1::closed())
}

/// What anybody may ask: which interface is spoken here, and whether the database answers.
pub fn open(doors: Arc<Doors>) -> Router {
    v1::open(doors)
}

type Routes = Router<Arc<Doors>>;

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
    let handler =
        move |State(doors): State<Arc<Doors>>, Path(names): Path<Vec<(String, String)>>, request: Request| {
            let answer = answer.clone();
            async move {
                let outcome = match entry::enter(operation, doors, names, request).await {
                    Ok((call, input)) => answer(call, input).await,
                    Err(refused) => Err(refused),
                };
                outcome.unwrap_or_else(IntoResponse::into_response)
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
