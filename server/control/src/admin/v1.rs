//! headscale's interface: the calls of `api::v1`, as REST and as gRPC, over the same commands as our own.
//!
//! One handler per call in the file of its noun takes both forms; [`rest`] and [`grpc`] read and write them.

mod apikey;
mod auth;
mod grpc;
mod input;
mod node;
mod policy;
mod preauthkey;
mod rest;
mod server;
mod unfit;
mod user;

use std::{future::Future, sync::Arc, time::Instant};

use api::{Declared, Method, v1::Rpc};
use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::{MethodFilter, any, on, post},
};
use http::StatusCode;
use prost::Message;
use serde::{Serialize, de::DeserializeOwned};

use super::{Routes, call::Call, entry, refused::Refused};
use crate::doors::Doors;
use unfit::Unfit;

/// Every call. Requests bring a [`crate::arrival::LocalPeer`] or a credential.
pub fn routes(doors: Arc<Doors>) -> Router {
    let nouns = [server::add, user::add, node::add, auth::add, preauthkey::add, apikey::add, policy::add];
    let routes: Routes = nouns.into_iter().fold(Router::new(), |routes, add| add(routes));
    routes
        .route("/api/v1/{*rest}", any(rest::no_such_call))
        .route("/headscale.v1.HeadscaleService/{call}", post(grpc::no_such_call))
        .method_not_allowed_fallback(rest::wrong_method)
        .with_state(doors)
}

/// The same paths where nobody is let in: a listener on which others could read an API key.
pub fn closed() -> Router {
    Router::new().route("/api/v1/{*rest}", any(rest::in_clear))
}

pub use server::open;

/// What a handler returns.
type Answer<T> = Result<T, Unfit>;

/// Answers a call in both forms with what `answer` returns.
fn serve<I, O, F, Fut>(routes: Routes, rpc: &Rpc<I, O>, answer: F) -> Routes
where
    I: Message + Default + DeserializeOwned + 'static,
    O: Message + Serialize + 'static,
    F: Fn(Call, I) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Answer<O>> + Send,
{
    let routes = by_path(routes, rpc.declared(), answer.clone(), rest::answer);
    by_name(routes, rpc, answer)
}

/// Answers a call by path with what `answer` returns, written by `write`.
fn by_path<I, O, F, Fut>(
    routes: Routes,
    operation: Declared,
    answer: F,
    write: fn(Answer<O>) -> Response,
) -> Routes
where
    I: Message + Default + DeserializeOwned + 'static,
    O: Send + 'static,
    F: Fn(Call, I) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Answer<O>> + Send,
{
    let method = match operation.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Delete => MethodFilter::DELETE,
    };
    let handler = move |State(doors): State<Arc<Doors>>, request: Request| {
        attend(operation, doors, request, Form::Rest, answer.clone(), write)
    };
    routes.route(operation.path, on(method, handler))
}

fn by_name<I, O, F, Fut>(routes: Routes, rpc: &Rpc<I, O>, answer: F) -> Routes
where
    I: Message + Default + DeserializeOwned + 'static,
    O: Message + 'static,
    F: Fn(Call, I) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Answer<O>> + Send,
{
    let operation = rpc.declared();
    let handler = move |State(doors): State<Arc<Doors>>, request: Request| {
        attend(operation, doors, request, Form::Grpc, answer.clone(), grpc::answer)
    };
    routes.route(&rpc.grpc_path(), post(handler))
}

/// How a call is written.
#[derive(Clone, Copy)]
enum Form {
    Rest,
    Grpc,
}

/// Lets the caller in, answers, and notes what was decided against.
async fn attend<I, O, F, Fut>(
    operation: Declared,
    doors: Arc<Doors>,
    request: Request,
    form: Form,
    answer: F,
    write: fn(Answer<O>) -> Response,
) -> Response
where
    I: Message + Default + DeserializeOwned,
    F: Fn(Call, I) -> Fut,
    Fut: Future<Output = Answer<O>>,
{
    let (begun, metrics) = (Instant::now(), doors.metrics.clone());
    let outcome = answered(operation, doors, request, form, answer).await;
    let status = outcome.as_ref().map_or_else(Unfit::status, |_| StatusCode::OK).as_u16();
    metrics.called(operation.noun, &operation.method, status, begun.elapsed());
    write(outcome)
}

async fn answered<I, O, F, Fut>(
    operation: Declared,
    doors: Arc<Doors>,
    request: Request,
    form: Form,
    answer: F,
) -> Answer<O>
where
    I: Message + Default + DeserializeOwned,
    F: Fn(Call, I) -> Fut,
    Fut: Future<Output = Answer<O>>,
{
    let (parts, body) = request.into_parts();
    let (origin, credential) = entry::admit(&operation, &doors, &parts).await?;
    let mut call = Call::new(doors, origin, credential, String::new(), false);
    call.if_match = entry::if_match(&parts.headers)?;
    let input = match form {
        Form::Rest => rest::input(&parts, body).await?,
        Form::Grpc => grpc::input(&parts, body).await?,
    };
    // A body may take its time, and the credential may be void by then.
    if !call.is_welcome() {
        return Err(Refused::unauthorized().into());
    }
    let note = call.note();
    let outcome = answer(call, input).await;
    if let Err(unfit) = &outcome
        && let Some(refused) = unfit.refused()
    {
        note.refusal(operation, refused).await;
    }
    outcome
}
