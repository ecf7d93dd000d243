//! `policy.roles-open-something`.

use crate::Verdict;

/// A role and how much the policy gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// How many rules let its devices reach somebody; nothing when nobody can say.
    pub reaches: Option<usize>,
    /// How many let somebody reach its devices.
    pub reached_by: usize,
    /// Why nobody can say.
    pub trouble: Option<String>,
}

/// Whether every role is good for something. `policy_set` is whether there is a policy at all.
pub fn roles(roles: &[Role], policy_set: bool) -> Verdict {
    if !policy_set {
        return Verdict::fail("there is no policy: nothing reaches anything")
            .fix("meshctl policy set policy.hujson");
    }
    Verdict::all(roles.iter().map(one), || {
        Verdict::fail("there are no roles, so that no device can join with one")
            .fix("meshctl role set server --tag tag:server")
    })
}

fn one(role: &Role) -> Verdict {
    let Role { name, reaches, reached_by, trouble } = role;
    let (verdict, said) = match reaches {
        None => {
            let why = trouble.as_deref().unwrap_or("no answer");
            (Verdict::unknown(format!("nobody can say what role {name} opens: {why}")), why.to_owned())
        }
        Some(0) if *reached_by == 0 => (
            Verdict::fail(format!("role {name} reaches nothing, and nothing reaches it"))
                .fix(format!("meshctl policy explain --help   # then add a rule for the tags of role {name}, or: meshctl role delete {name}")),
            "nothing".to_owned(),
        ),
        Some(reaches) => (
            Verdict::pass(format!("role {name} opens something")),
            format!("reaches by {reaches} rules, is reached by {reached_by}"),
        ),
    };
    verdict.seen(format!("what the policy gives role {name}"), "the server", said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn role(reaches: Option<usize>, reached_by: usize) -> Role {
        Role { name: "server".into(), reaches, reached_by, trouble: None }
    }

    #[test]
    fn a_role_is_named_by_a_rule() {
        assert_eq!(roles(&[role(Some(0), 1)], true).state(), State::Pass);
        assert_eq!(roles(&[role(Some(2), 0)], true).state(), State::Pass);
        assert_eq!(roles(&[role(Some(2), 0), role(Some(0), 0)], true).state(), State::Fail);
        assert_eq!(roles(&[role(None, 0)], true).state(), State::Unknown);
        assert_eq!(roles(&[], true).state(), State::Fail);
        assert_eq!(roles(&[role(Some(1), 1)], false).state(), State::Fail);
    }
}
