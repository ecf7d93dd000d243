//! What two policies have in common, and which nodes a policy singles out by address.

use ipnet::IpNet;

use crate::{
    Compiled,
    compiled::mesh,
    policy::{Attribute, Ssh},
};

/// All that a policy can ask of a person: whether it names them, their groups, their domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing<'p> {
    named: Option<String>,
    groups: &'p [String],
    domain: Option<String>,
}

impl Compiled {
    /// What the policy can know of a person. Of two people's nodes with the same traits and no routes, outside of
    /// [`Self::singled_out`], it makes the same where the standings are equal.
    pub fn standing(&self, login: &str) -> Standing<'_> {
        let login = login.to_lowercase();
        let domain = login.split_once('@').map(|(_, domain)| domain.to_owned());
        let groups = self.index.groups_of(&login);
        let is_named = self.index.names(&login) || self.claims.names(&login);
        Standing { named: is_named.then_some(login), groups, domain }
    }

    /// Networks within the mesh that the policy names, but for those that hold all nodes. Of two nodes outside of them that
    /// have the same owner, the same traits and no routes, the policy makes the same.
    pub fn singled_out(&self) -> Vec<IpNet> {
        let whole = mesh();
        let singles = |net: &IpNet| whole.iter().any(|mesh| mesh.contains(net) && mesh != net);
        let mut nets = self.index.networks();
        nets.extend(self.claims.networks());
        nets.retain(singles);
        nets.sort();
        nets.dedup();
        nets
    }

    /// Whether two nodes with one badge under this policy and one under the other, where the badges are equal and so are
    /// those of all others, have the same capabilities, log in and are logged in to in the same way.
    pub fn means_alike(&self, other: &Compiled) -> bool {
        let (a, b) = (&self.content, &other.content);
        a.everywhere == b.everywhere
            && a.mac_route == b.mac_route
            && a.ssh.len() == b.ssh.len()
            && a.ssh.iter().zip(&b.ssh).all(|(a, b)| a.opens_alike(b))
            && a.attributes.len() == b.attributes.len()
            && a.attributes.iter().zip(&b.attributes).all(|(a, b)| a.gives_alike(b))
    }
}

impl Ssh {
    fn opens_alike(&self, other: &Self) -> bool {
        self.checks == other.checks
            && self.period_seconds == other.period_seconds
            && self.sources == other.sources
            && self.destinations == other.destinations
            && self.users == other.users
            && self.accept_env == other.accept_env
            && self.domains == other.domains
    }
}

impl Attribute {
    fn gives_alike(&self, other: &Self) -> bool {
        self.names == other.names && self.apps == other.apps
    }
}

#[cfg(test)]
mod tests {
    use crate::{Compiled, Policy};

    fn compiled(text: &str) -> Compiled {
        Compiled::compile(&Policy::parse(text).unwrap())
    }

    #[test]
    fn people_whom_a_policy_cannot_tell_apart_have_one_standing() {
        let policy = compiled(
            r#"{
            "groups": {"group:a": ["ann@x.org", "bo@x.org"], "group:b": ["bo@x.org"]},
            "postures": {"posture:p": ["node:os == 'linux'"]},
            "nodeAttrs": [{"target": ["cy@x.org"], "attr": ["a"]}],
            "acls": [{"action": "accept", "src": ["dan@x.org"], "srcPosture": ["posture:p"], "dst": ["*:*"]}],
        }"#,
        );
        let alike = |a: &str, b: &str| policy.standing(a) == policy.standing(b);
        assert!(alike("eve@x.org", "FAY@x.org") && alike("ann@x.org", "Ann@X.org") && alike("gil", "hal"));
        for (a, b) in [("ann@x.org", "bo@x.org"), ("ann@x.org", "eve@x.org"), ("eve@x.org", "eve@y.org")] {
            assert!(!alike(a, b), "{a} {b}");
        }
        assert!(!alike("cy@x.org", "eve@x.org") && !alike("dan@x.org", "eve@x.org"));
    }

    #[test]
    fn addresses_of_the_mesh_single_out_and_others_do_not() {
        let text = r#"{"acls": [
            {"action": "accept", "src": ["100.64.0.7", "10.0.0.0/8"], "dst": ["*:*"]},
            {"action": "accept", "src": ["100.64.0.0/10"], "dst": ["100.64.1.0/24:22"]},
            {"action": "accept", "src": ["0.0.0.0/0"], "dst": ["fd7a:115c:a1e0::9:80"]},
        ]}"#;
        let nets: Vec<_> = compiled(text).singled_out().iter().map(ToString::to_string).collect();
        assert_eq!(nets, ["100.64.0.7/32", "100.64.1.0/24", "fd7a:115c:a1e0::9/128"]);
        assert_eq!(compiled("{}").singled_out(), []);
    }

    #[test]
    fn rules_of_ssh_and_attributes_mean_what_they_say_wherever_they_stand() {
        let (tags, ssh) = (
            r#""tagOwners": {"tag:a": []}"#,
            r#"{"action": "accept", "src": ["tag:a"], "dst": ["tag:a"], "users": ["root"]}"#,
        );
        let with = |more: &str| compiled(&format!("{{{tags}, {more}}}"));
        let one = with(&format!(r#""ssh": [{ssh}]"#));
        assert!(one.means_alike(&with(&format!("\n\n\"acls\": [],\n \"ssh\": [\n{ssh}]"))));
        assert!(!one.means_alike(&with(r#""ssh": []"#)));
        assert!(!one.means_alike(&with(&format!(r#""ssh": [{}]"#, ssh.replace("root", "ubuntu")))));
        let given = |name: &str| with(&format!(r#""nodeAttrs": [{{"target": ["*"], "attr": ["{name}"]}}]"#));
        assert!(given("funnel").means_alike(&given("funnel")));
        assert!(!given("funnel").means_alike(&given("nextdns:abc")));
    }
}
