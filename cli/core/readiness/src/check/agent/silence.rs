//! `agents.healthy`: what agents found on their machines, and which of them are silent.

use crate::{State, Verdict};

/// A machine's agent, as its last report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// The device.
    pub node: String,
    /// Whether the device is online.
    pub online: bool,
    /// For how long nothing came although it was due, in seconds.
    pub silent_seconds: Option<i64>,
    /// Its checks: name, how it ended, one line, what mends it.
    pub checks: Vec<(String, State, String, Option<String>)>,
}

/// What the agents say. A device that is offline is not expected to report.
pub fn healthy(agents: &[Agent]) -> Verdict {
    Verdict::all(agents.iter().map(one), || {
        Verdict::skip("no agent has ever reported: see docs/guide/agent.md")
    })
}

fn one(agent: &Agent) -> Verdict {
    let node = &agent.node;
    let verdict = match (agent.silent_seconds, agent.online) {
        (Some(_), false) => return Verdict::skip(format!("{node} is offline, and so is its agent")),
        (Some(seconds), true) => {
            Verdict::unknown(format!("{node} is online, and its agent has been silent for {seconds} s"))
                .fix(format!("systemctl status meshctl-agent   # on {node}"))
        }
        (None, _) => {
            let owed = agent.checks.iter().filter(|(_, state, ..)| *state > State::Pass);
            let finding = |(id, state, detail, fix): &(String, State, String, Option<String>)| {
                let verdict = Verdict::of(*state, format!("{node}: {id}: {detail}"));
                match fix {
                    Some(fix) => verdict.fix(fix),
                    None => verdict,
                }
            };
            let well = || match agent.checks.is_empty() {
                true => Verdict::unknown(format!("the agent of {node} reports, and checks nothing")),
                false => Verdict::pass(format!("{node} is well")),
            };
            Verdict::all(owed.map(finding), well)
        }
    };
    verdict.seen("the last report", format!("the agent of {node}"), format!("{} checks", agent.checks.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(silent: Option<i64>, online: bool, states: &[State]) -> Agent {
        let check = |state: &State| ("tunnel".to_owned(), *state, "so".to_owned(), None);
        Agent {
            node: "web".into(),
            online,
            silent_seconds: silent,
            checks: states.iter().map(check).collect(),
        }
    }

    #[test]
    fn silence_is_unknown_and_what_is_found_counts() {
        let state = |agent| healthy(&[agent]).state();
        assert_eq!(healthy(&[]).state(), State::Skip);
        assert_eq!(state(agent(None, true, &[State::Pass, State::Skip])), State::Pass);
        assert_eq!(state(agent(None, true, &[State::Pass, State::Warn])), State::Warn);
        assert_eq!(state(agent(None, true, &[State::Unknown, State::Fail])), State::Fail);
        assert_eq!(state(agent(None, true, &[])), State::Unknown, "nothing looked at is not well");
        assert_eq!(state(agent(Some(600), true, &[State::Pass])), State::Unknown);
        assert_eq!(state(agent(Some(600), false, &[State::Pass])), State::Skip);
        let both = healthy(&[agent(Some(600), false, &[]), agent(None, true, &[State::Fail])]);
        assert_eq!(both.summary(), "web: tunnel: so");
    }
}
