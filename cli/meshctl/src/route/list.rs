//! `meshctl route list`.

use api::route::{LIST, Route, Routes, State};

use crate::talk::{Answer, Context, Failure, Render, Screen, Table};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl route list
  meshctl route list --json | jq '.routes[] | select(.state == \"not_approved\") | .prefix'")]
pub struct Args {}

pub async fn run(context: &Context, _: Args) -> Result<Answer, Failure> {
    Answer::of(context, &context.read(&LIST, &[], &()).await?)
}

impl Render for Routes {
    fn render(&self, screen: &Screen) -> String {
        let word = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        let mut table = Table::new(["PREFIX", "NODE", "OFFERED", "APPROVED", "ONLINE", "STATE"], "no routes");
        for r in &self.routes {
            table.row([
                r.prefix.to_string(),
                r.node.clone(),
                word(r.advertised),
                word(r.approved),
                word(r.online),
                state(r),
            ]);
        }
        table.render(screen)
    }
}

fn state(route: &Route) -> String {
    match route.state {
        State::NotOffered => "not offered".to_owned(),
        State::NotApproved => "waits for approval".to_owned(),
        State::Offline => "offline".to_owned(),
        State::Exit => "exit node".to_owned(),
        State::Standby => "standby".to_owned(),
        State::Silent => "silent".to_owned(),
        State::Serving => {
            let tags = route.serves_tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let whom = match (route.primary, tags.is_empty()) {
                (_, true) => String::new(),
                (true, false) => format!(", and by {tags}"),
                (false, false) => format!(" by {tags}"),
            };
            let alone = if route.responsive { "" } else { ", silent" };
            format!("serving{whom}{alone}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_says_whom_it_serves_and_whether_it_answers() {
        let route = |primary, tags: &[&str], responsive| Route {
            prefix: "10.0.0.0/8".parse().unwrap(),
            node_id: ident::NodeId::FIRST,
            node: "r".into(),
            advertised: true,
            approved: true,
            primary,
            serves_tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
            online: true,
            responsive,
            state: State::Serving,
        };
        assert_eq!(state(&route(true, &[], true)), "serving");
        assert_eq!(state(&route(true, &["tag:a", "tag:b"], true)), "serving, and by tag:a, tag:b");
        assert_eq!(state(&route(false, &["tag:a"], false)), "serving by tag:a, silent");
    }
}
