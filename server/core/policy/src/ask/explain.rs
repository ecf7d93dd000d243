//! Why something is open, or what would open it.

use serde::Serialize;

use super::{
    ends::{End, Ends},
    nearest::{self, Near},
    ruling::Place,
    source::Lines,
};
use crate::{
    Document, Roster,
    answer::Tailnet,
    policy::{Ssh, SshUser},
};

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// A device, a person, a tag, a group or an address.
    pub from: String,
    /// The same, a prefix, or `internet`.
    pub to: String,
    /// Without it, whether any port is open.
    pub port: Option<u16>,
    /// By name or number; without it, whether any protocol is let through.
    pub protocol: Option<String>,
    /// A login by SSH as this user.
    pub ssh_user: Option<String>,
}

/// A rule that says something about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Its line, from 1.
    pub line: Option<u32>,
    /// The rule, in one line.
    pub rule: String,
    /// What it opens here.
    pub opens: String,
}

/// Whether somebody may log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Admission {
    /// As whom.
    pub user: String,
    /// Whether a rule of `ssh` lets them.
    pub allowed: bool,
    /// Whether it asks for a check first.
    pub checked: bool,
    /// That rule.
    pub because: Vec<Said>,
    /// The rules of `ssh` that come nearest, when none does.
    pub nearest: Vec<Near>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Whether it is open; for a login, whether both the login and its port are.
    pub allowed: bool,
    /// What was understood as the source.
    pub from: String,
    /// What was understood as the destination.
    pub to: String,
    /// The rules that open it.
    pub because: Vec<Said>,
    /// What comes nearest to opening it, when nothing does.
    pub nearest: Vec<Near>,
    /// The login, when one was asked for.
    pub login: Option<Admission>,
    /// What else matters.
    pub notes: Vec<String>,
}

/// What is wanted of the network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) protocol: Option<i32>,
    pub(crate) port: Option<u16>,
}

impl Document {
    /// Answers the question for the devices and people of the roster; whoever is not among them is imagined. The error
    /// says which word of the question means nothing.
    pub fn explain(&self, roster: &Roster, question: &Question) -> Result<Explanation, String> {
        let mut roster = roster.clone();
        let mut notes = Vec::new();
        let from = self.find(&question.from, &mut roster, &mut notes)?;
        let to = self.find(&question.to, &mut roster, &mut notes)?;
        if matches!(from.1, End::Internet) {
            return Err("nothing comes from the internet: an exit node leads there only".to_owned());
        }
        let protocol = match &question.protocol {
            None => None,
            Some(text) => Some(crate::protocol::parse(text)?),
        };
        let wanted = match question.ssh_user {
            Some(_) => Wanted { protocol: Some(6), port: Some(question.port.unwrap_or(22)) },
            None => Wanted { protocol, port: question.port },
        };
        let ends =
            Ends { tailnet: Tailnet { policy: self.content(), roster: &roster, is_open: false }, from, to };
        let lines = Lines::of(self.text());
        let because = ends.opened(wanted, &lines);
        ends.note_ways(&mut notes);
        let carried = ends.is_carried();
        let login = question.ssh_user.as_ref().map(|user| ends.login(user, &lines));
        let open = !because.is_empty() && carried;
        let nearest = if because.is_empty() { nearest::network(&ends, wanted, &lines) } else { Vec::new() };
        Ok(Explanation {
            allowed: open && login.as_ref().is_none_or(|login| login.allowed),
            from: ends.from.0,
            to: ends.to.0,
            because,
            nearest,
            login,
            notes,
        })
    }
}

impl Ends<'_> {
    fn is_carried(&self) -> bool {
        matches!(self.to.1, End::Device(_)) || self.ways().next().is_some()
    }

    fn note_ways(&self, notes: &mut Vec<String>) {
        let names: Vec<_> = self.ways().take(3).map(|router| router.name.as_str()).collect();
        match &self.to.1 {
            End::Device(_) => {}
            End::Network(_) if names.is_empty() => {
                notes
                    .push(format!("no device has an approved route to {}, so nothing gets there", self.to.0));
            }
            End::Internet if names.is_empty() => notes.push("there is no approved exit node".to_owned()),
            End::Network(_) | End::Internet => notes.push(format!("behind {}", names.join(", "))),
        }
    }

    fn opened(&self, wanted: Wanted, lines: &Lines) -> Vec<Said> {
        let acls = self.tailnet.policy.acls.iter().map(|acl| (acl, self.traffic(acl)));
        let opening = acls.filter(|(_, open)| open.holds(wanted.protocol, wanted.port));
        let said = opening.map(|(acl, open)| said(lines, Place::Line(acl.line), open.to_string()));
        said.collect()
    }

    fn login(&self, user: &str, lines: &Lines) -> Admission {
        let wanted = SshUser::Name(user.to_owned());
        let lets = |rule: &&Ssh| self.lets(rule, &wanted);
        let rules = &self.tailnet.policy.ssh;
        let first = rules.iter().filter(|rule| rule.checks).find(lets);
        let found = first.or_else(|| rules.iter().find(lets));
        let how =
            |rule: &Ssh| if rule.checks { format!("as {user} after a check") } else { format!("as {user}") };
        Admission {
            user: user.to_owned(),
            allowed: found.is_some(),
            checked: found.is_some_and(|rule| rule.checks),
            because: found.iter().map(|rule| said(lines, Place::Line(rule.place.0), how(rule))).collect(),
            nearest: if found.is_some() { Vec::new() } else { nearest::login(self, &wanted, lines) },
        }
    }
}

fn said(lines: &Lines, place: Place, opens: String) -> Said {
    let (line, rule) = lines.find(place);
    Said { line, rule, opens }
}
