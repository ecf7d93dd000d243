//! The specification that the stories prove, by its own numbers.

/// Number and words of everything that has to have a story.
pub const ITEMS: [(&str, &str); 49] = [
    ("US1.1", "three hosts register and are shown as connected"),
    ("US1.2", "a pings b"),
    ("US1.3", "a pings c"),
    ("US1.4", "b pings c"),
    ("US1.5", "a host that lost the server rejoins by itself"),
    ("US2.1", "hosts of two networks reach each other at their mesh addresses"),
    ("US2.2", "traffic goes through the encrypted tunnel"),
    ("US2.3", "a firewall that forbids direct paths does not cut a host off"),
    ("US3.1", "a service on the mesh interface answers in the mesh"),
    ("US3.2", "it answers nobody at the host's physical address"),
    ("US3.3", "it answers a host of another network"),
    ("US3.4", "it answers under the host's name"),
    ("US4.1", "a name is the host's mesh address"),
    ("US4.2", "a new host's name is known everywhere within 30 s"),
    ("US4.3", "a host that changes its name is found under the new one"),
    ("US4.4", "the name of a host that left is gone"),
    ("E1", "two hosts ask for the same name"),
    ("E2", "a host's connection flaps"),
    ("E3", "the control server is away for a while"),
    ("E4", "a host is removed by force, without signing off"),
    ("E5", "clients of different versions"),
    ("E6", "hosts reach the server and not each other"),
    ("E7", "a service binds before the mesh is up"),
    ("E8", "a service while the mesh is lost and comes back"),
    ("FR-001", "a control server manages registration and authorization"),
    ("FR-002", "each host installs and configures a client"),
    ("FR-003", "hosts register with pre-auth keys"),
    ("FR-004", "encrypted tunnels between all hosts"),
    ("FR-005", "hosts talk at their assigned addresses, whatever lies below"),
    ("FR-006", "the server knows who is online"),
    ("FR-007", "names are resolved across the mesh"),
    ("FR-008", "registration outlives a reboot"),
    ("FR-009", "a command shows all nodes and their state"),
    ("FR-009a", "service events are in the systemd journal"),
    ("FR-010", "hosts sign off cleanly"),
    ("FR-011", "three connections at once"),
    ("FR-012", "the server is a persistent service on a host of its own"),
    ("FR-013", "the mesh interface can be identified"),
    ("FR-014", "services bind to the mesh interface alone"),
    ("FR-015", "no outside access to such services"),
    ("FR-016", "all hosts of the mesh have access to such services"),
    ("SC-001", "all three hosts joined in under 2 minutes"),
    ("SC-002", "a ping takes under 50 ms between any two hosts"),
    ("SC-003", "99 % uptime over an hour"),
    ("SC-004", "a name is resolved in under 1 s"),
    ("SC-005", "back in the mesh within 30 s of an interruption"),
    ("SC-006", "no plaintext between hosts"),
    ("SC-007", "from scratch in under 15 minutes"),
    ("SC-008", "first-try success in 95 % of the runs"),
];

/// A step of `tests/ansible/run`, where hosts have systemd as process 1.
pub struct FreshHosts {
    pub name: &'static str,
    pub title: &'static str,
    pub proves: &'static str,
    /// What its step `NAME-sabotaged` does first.
    pub sabotage: &'static str,
}

/// What only such hosts show.
pub const FRESH_HOSTS: [FreshHosts; 2] = [
    FreshHosts {
        name: "reboot",
        title: "a host reboots: without a key it is the device that it was",
        proves: "FR-008",
        sabotage: "its client is not started at boot",
    },
    FreshHosts {
        name: "journal",
        title: "start and end of server and client and the client's registration are in the journals, over a reboot",
        proves: "FR-009a",
        sabotage: "the journals are emptied",
    },
];

/// What a criterion asks for.
pub(super) fn wanted(criterion: &str) -> &'static str {
    ITEMS.iter().find(|(number, _)| *number == criterion).map_or("", |(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::story::all;

    #[test]
    fn every_item_has_a_story_or_a_step_on_fresh_hosts() {
        let told: BTreeSet<&str> = all().iter().flat_map(|story| story.proves.iter().copied()).collect();
        let fresh: BTreeSet<&str> = FRESH_HOSTS.iter().map(|step| step.proves).collect();
        let known: BTreeSet<&str> = ITEMS.iter().map(|(item, _)| *item).collect();
        assert_eq!(known.len(), ITEMS.len(), "an item stands there twice");
        assert!(told.is_subset(&known), "{:?} are not in the specification", &told - &known);
        assert!(told.is_disjoint(&fresh), "{:?} have a story of the lab", &told & &fresh);
        let gap = &(&known - &told) - &fresh;
        assert!(gap.is_empty(), "{gap:?} have no story");
    }

    #[test]
    fn steps_on_fresh_hosts_are_taken_and_can_fail() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let suite = std::fs::read_to_string(format!("{root}/tests/ansible/run")).unwrap();
        let steps: Vec<&str> =
            suite.lines().map(str::trim).filter(|line| line.starts_with("step ")).collect();
        for step in FRESH_HOSTS {
            let (name, playbook) = (step.name, format!("tests/ansible/scenario/{}.yml", step.name));
            let plays =
                |head: String| steps.iter().filter(|s| s.starts_with(&head) && s.contains(&playbook)).count();
            assert_eq!(plays(format!("step {name} play ")), 1, "{name} is no step");
            assert_eq!(plays(format!("step {name}-sabotaged fails_at ")), 1, "{name} is never sabotaged");
            let text = std::fs::read_to_string(format!("{root}/{playbook}")).unwrap();
            assert!(
                text.contains(&format!("({})", step.proves)),
                "{playbook} does not speak of {}",
                step.proves
            );
        }
    }

    #[test]
    fn the_specification_is_whole() {
        let count = |kind: &str| ITEMS.iter().filter(|(item, _)| item.starts_with(kind)).count();
        assert_eq!((count("US"), count("E"), count("FR"), count("SC")), (16, 8, 17, 8));
    }

    #[test]
    fn every_story_proves_something_under_a_name_of_its_own() {
        let stories = all();
        let ids: BTreeSet<&str> = stories.iter().map(|story| story.id).collect();
        assert_eq!(ids.len(), stories.len());
        assert!(stories.iter().all(|story| !story.proves.is_empty() && !story.title.is_empty()));
        assert_eq!(stories[0].id, "mesh.basic");
        assert!(stories.is_sorted_by_key(|story| story.calm), "the soak would run beside what disturbs it");
    }
}
