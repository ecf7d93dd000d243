//! `routes.serving`.

use std::collections::{BTreeMap, BTreeSet};

use crate::Verdict;

/// A prefix at a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `10.0.0.0/16`; `0.0.0.0/0` and `::/0` make an exit node.
    pub prefix: String,
    /// The device's name.
    pub node: String,
    /// It offers it.
    pub advertised: bool,
    /// It may serve it.
    pub approved: bool,
    /// The mesh is sent through it.
    pub primary: bool,
    /// It is online.
    pub online: bool,
}

/// `expected` are prefixes that were served when that was remembered.
pub fn serving(routes: &[Route], expected: &BTreeSet<String>) -> Verdict {
    let mut by_prefix: BTreeMap<&str, Vec<&Route>> =
        expected.iter().map(|p| (p.as_str(), Vec::new())).collect();
    routes.iter().for_each(|route| by_prefix.entry(&route.prefix).or_default().push(route));
    let each = by_prefix.iter().map(|(prefix, routes)| one(prefix, routes));
    Verdict::all(each, || Verdict::skip("no device offers a route, and none is expected"))
}

fn one(prefix: &str, routes: &[&Route]) -> Verdict {
    let seen = |verdict: Verdict| {
        let said: Vec<_> = routes.iter().map(|r| words(r)).collect();
        let said = if said.is_empty() { "nobody offers it".to_owned() } else { said.join("; ") };
        verdict.seen(format!("route {prefix}"), "the server", said)
    };
    let serves = |r: &&Route| r.online && r.approved && r.advertised && (r.primary || is_exit(&r.prefix));
    if let Some(server) = routes.iter().find(|r| serves(r)) {
        return seen(Verdict::pass(format!("{} serves {prefix}", server.node)));
    }
    let approve = |node: &str| format!("meshctl route approve {node} {prefix}");
    let offer = |node: &str| format!("tailscale set --advertise-routes={prefix}   # on {node}");
    seen(match routes {
        [] => Verdict::fail(format!("{prefix} was served, and no device offers it any more"))
            .fix(offer("its router")),
        routes => {
            match (routes.iter().find(|r| r.advertised && r.online), routes.iter().find(|r| r.approved)) {
                (Some(waiting), _) if !waiting.approved => {
                    Verdict::fail(format!("{} offers {prefix}, and nobody has approved it", waiting.node))
                        .fix(approve(&waiting.node))
                }
                (Some(ready), _) => Verdict::fail(format!(
                    "{} may serve {prefix} and is not sent the mesh's packets",
                    ready.node
                ))
                .fix("meshctl route list"),
                (None, Some(gone)) if gone.online => {
                    Verdict::fail(format!("{} may serve {prefix} and does not offer it", gone.node))
                        .fix(offer(&gone.node))
                }
                (None, _) => {
                    let names: Vec<_> = routes.iter().map(|r| r.node.as_str()).collect();
                    Verdict::fail(format!("{prefix} has no router that is online ({})", names.join(", ")))
                        .fix("systemctl restart tailscaled   # on the router")
                }
            }
        }
    })
}

fn is_exit(prefix: &str) -> bool {
    matches!(prefix, "0.0.0.0/0" | "::/0")
}

fn words(route: &Route) -> String {
    let flags = [
        (route.online, "online"),
        (route.advertised, "offered"),
        (route.approved, "approved"),
        (route.primary, "primary"),
    ];
    let flags: Vec<_> = flags.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
    format!("{}: {}", route.node, if flags.is_empty() { "nothing".to_owned() } else { flags.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn route(flags: [bool; 4]) -> Route {
        let [online, advertised, approved, primary] = flags;
        Route { prefix: "10.0.0.0/16".into(), node: "router".into(), advertised, approved, primary, online }
    }
    fn judged(routes: &[Route], expected: &[&str]) -> (State, String) {
        let verdict = serving(routes, &expected.iter().map(ToString::to_string).collect());
        let fix = verdict.worst().and_then(|f| f.fix.clone()).unwrap_or_default();
        (verdict.state(), fix)
    }

    #[test]
    fn a_route_is_offered_approved_and_served() {
        assert_eq!(judged(&[route([true, true, true, true])], &[]).0, State::Pass);
        assert_eq!(judged(&[], &[]).0, State::Skip);
    }

    #[test]
    fn what_is_missing_is_what_the_fix_does() {
        let (state, fix) = judged(&[route([true, true, false, false])], &[]);
        assert_eq!((state, fix.as_str()), (State::Fail, "meshctl route approve router 10.0.0.0/16"));
        assert!(
            judged(&[route([true, false, true, false])], &[])
                .1
                .starts_with("tailscale set --advertise-routes")
        );
        assert!(
            judged(&[route([false, true, true, false])], &[]).1.starts_with("systemctl restart tailscaled")
        );
        assert!(judged(&[], &["10.0.0.0/16"]).1.contains("its router"));
    }

    #[test]
    fn one_router_of_two_is_enough() {
        let routes = [route([false, true, true, false]), route([true, true, true, true])];
        assert_eq!(judged(&routes, &["10.0.0.0/16"]).0, State::Pass);
    }

    #[test]
    fn exit_nodes_are_never_primary() {
        let exit = Route { prefix: "0.0.0.0/0".into(), ..route([true, true, true, false]) };
        assert_eq!(judged(&[exit], &[]).0, State::Pass);
    }
}
