//! What the pages say.

use std::sync::Arc;

use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use minijinja::{Environment, Value, context};
use world::{Node, World};

use super::{Rooms, session::Session};
use crate::pending::Login;

/// People and roles that a page offers; more are let in by command.
const MOST: usize = 500;

/// The templates.
#[derive(Debug)]
pub struct Pages(Environment<'static>);

impl Default for Pages {
    fn default() -> Self {
        let mut pages = Environment::new();
        for (name, text) in [
            ("frame.html", include_str!("../../templates/login/frame.html")),
            ("device.html", include_str!("../../templates/login/device.html")),
            ("sign-in.html", include_str!("../../templates/login/sign-in.html")),
            ("sign-out.html", include_str!("../../templates/login/sign-out.html")),
            ("visit.html", include_str!("../../templates/login/visit.html")),
            ("message.html", include_str!("../../templates/login/message.html")),
        ] {
            if let Err(e) = pages.add_template(name, text) {
                tracing::error!(name, error = %e, "a page cannot be read");
            }
        }
        Self(pages)
    }
}

impl Pages {
    /// A page that says one thing.
    pub fn message(&self, status: StatusCode, title: &str, text: &str) -> Response {
        self.render(status, "message.html", context! { title => title, text => text })
    }

    pub(super) fn render(&self, status: StatusCode, name: &str, values: Value) -> Response {
        match self.0.get_template(name).and_then(|page| page.render(values)) {
            Ok(page) => (status, Html(page)).into_response(),
            Err(e) => {
                tracing::error!(name, error = %e, "a page cannot be made");
                (StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be made; the log says why\n")
                    .into_response()
            }
        }
    }
}

impl Rooms {
    /// The page of a device: what it is, and what whoever looks may do.
    pub(super) fn device(
        &self,
        status: StatusCode,
        login: &Login,
        session: Option<&Session>,
        trouble: &str,
    ) -> Response {
        let world = self.doors.hub.world();
        let is_mine = |node: &&Arc<Node>| node.machine == login.machine;
        let node = world.nodes.by_node_key(&login.node_key).filter(is_mine).filter(|node| node.accepted());
        let was = login.old_node_key.and_then(|key| world.nodes.by_node_key(&key).cloned());
        let was = was.filter(|node| node.machine == login.machine);
        let host = &login.hostinfo;
        let left = login.expires.duration_since(Timestamp::now()).as_secs().max(0) / 60 + 1;
        let values = context! {
            trouble => trouble,
            code => login.code.to_string(),
            back => format!("/register/{}", login.code),
            name => host.hostname.as_str(),
            os => format!("{} {}", host.os, host.os_version).trim(),
            client => host.ipn_version.as_str(),
            machine => login.machine.to_string().chars().take(21).collect::<String>(),
            source => login.source.to_string(),
            asked => login.asked.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            left => left,
            tags => host.request_tags.join(", "),
            ephemeral => login.ephemeral,
            was => was.as_ref().map_or(String::new(), |node| node.name.clone()),
            was_of => was.as_ref().map_or(String::new(), |node| whose(&world, node)),
            node => node.map_or(String::new(), |node| world.fqdn(node).trim_end_matches('.').to_owned()),
            node_of => node.map_or(String::new(), |node| whose(&world, node)),
            people => people(&world),
            roles => roles(&world),
            ..self.standing(&world, session)
        };
        self.pages.render(status, "device.html", values)
    }
}

impl Rooms {
    /// Who looks at a page.
    pub(super) fn standing(&self, world: &World, session: Option<&Session>) -> Value {
        context! {
            trusted => self.trusted,
            signed_in => session.is_some(),
            by => session.map_or(String::new(), |session| who(world, session)),
            csrf => session.map_or("", |session| session.csrf.expose().as_str()),
        }
    }
}

fn who(world: &World, session: &Session) -> String {
    let key = world.api_keys.get(&session.credential);
    let words = key.map(|key| key.description.clone()).filter(|words| !words.is_empty());
    words.unwrap_or_else(|| format!("API key {}", session.credential))
}

pub(super) fn whose(world: &World, node: &Node) -> String {
    match world.login_of(node) {
        Some(login) => login.to_owned(),
        None => node.owner.tags().iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn people(world: &World) -> Vec<Value> {
    let mut people: Vec<_> = world.users.values().collect();
    people.sort_by(|a, b| a.login.cmp(&b.login));
    let shown = people.into_iter().take(MOST);
    shown.map(|user| context! { value => format!("user:{}", user.id), name => user.login.as_str() }).collect()
}

fn roles(world: &World) -> Vec<Value> {
    let tags = |role: &world::Role| {
        role.tags.as_slice().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let shown = world.roles.values().take(MOST);
    shown
        .map(|role| context! { value => format!("role:{}", role.name), name => role.name.as_str(), tags => tags(role) })
        .collect()
}
