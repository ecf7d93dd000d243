//! `policy.no-legacy-keys`: keys whose devices could reach nothing.

use crate::Verdict;

/// A key that would let a device in, and what the device would get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// `key 4 (role server)`.
    pub what: String,
    /// The tags that it gives.
    pub tags: Vec<String>,
    /// Whether the policy opens something to or from them; nothing when nobody can say.
    pub opens: Option<bool>,
    /// What makes a better one, and voids this one.
    pub replace: String,
}

/// Whether every key leads somewhere. `texts` are findings in playbooks and documents.
pub fn legacy(grants: &[Grant], texts: Verdict) -> Verdict {
    let each = grants.iter().map(one);
    let keys = Verdict::all(each, || Verdict::pass("no key is there that would let a device in"));
    keys.and(texts)
}

fn one(grant: &Grant) -> Verdict {
    let Grant { what, tags, opens, replace } = grant;
    let tagged = tags.join(", ");
    let verdict = match (tags.is_empty(), opens) {
        (true, _) => Verdict::fail(format!("{what} gives no tags: devices that join with it reach nothing"))
            .fix(replace),
        (false, Some(false)) => {
            Verdict::fail(format!("{what} gives {tagged}, to which the policy opens nothing")).fix(replace)
        }
        (false, None) => Verdict::unknown(format!("nobody can say what {what} ({tagged}) opens")),
        (false, Some(true)) => Verdict::pass(format!("{what} gives {tagged}")),
    };
    let said = if tags.is_empty() { "none".to_owned() } else { tagged.clone() };
    verdict.seen(format!("tags of {what}"), "the server", said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn grant(tags: &[&str], opens: Option<bool>) -> State {
        let tags = tags.iter().map(ToString::to_string).collect();
        let grant = Grant { what: "key 1".into(), tags, opens, replace: "meshctl key create".into() };
        legacy(&[grant], Verdict::default()).state()
    }

    #[test]
    fn a_key_gives_tags_that_lead_somewhere() {
        assert_eq!(grant(&["tag:server"], Some(true)), State::Pass);
        assert_eq!(grant(&["tag:server"], Some(false)), State::Fail);
        assert_eq!(grant(&["tag:server"], None), State::Unknown);
        assert_eq!(grant(&[], None), State::Fail);
        assert_eq!(legacy(&[], Verdict::default()).state(), State::Pass);
    }

    #[test]
    fn a_playbook_that_makes_untagged_keys_counts_too() {
        assert_eq!(legacy(&[], Verdict::fail("site.yml makes one")).state(), State::Fail);
    }
}
