//! The rules of SSH as they are asked for node by node; who is a source or a destination stands in a [`crate::Badge`].

use std::collections::BTreeMap;

use ident::Tag;

use crate::{
    Compiled,
    alias::Alias,
    policy::{Ssh, SshUser},
};

/// Where a client asks whether a login may go on; the client fills in the names that begin with a dollar.
pub const LOGIN_CHECK: &str =
    "https://unused/machine/ssh/action/$SRC_NODE_ID/to/$DST_NODE_ID?local_user=$LOCAL_USER";

/// The port on which a recorder listens.
pub const RECORDER_PORT: u16 = 80;
/// What somebody is told who is not let in because nothing would be recorded.
pub const NOT_RECORDED: &str = "this session must be recorded, and no recorder answers";
/// What somebody is told whose session ends because it is not recorded any longer.
pub const RECORDING_STOPPED: &str = "this session must be recorded, and its recorder has gone";

/// A rule of `ssh`.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a>(&'a Ssh);

impl Compiled {
    /// The numbers of the rules of SSH in the order in which nodes are told of them: checks stand before the rest.
    pub fn login_order(&self) -> impl Iterator<Item = usize> {
        let numbered = || self.content.ssh.iter().enumerate();
        let of = move |checks| numbered().filter(move |(_, rule)| rule.checks == checks);
        of(true).chain(of(false)).map(|(number, _)| number)
    }

    /// The rule with this number.
    pub fn login(&self, number: usize) -> Option<Login<'_>> {
        self.content.ssh.get(number).map(Login)
    }
}

impl<'a> Login<'a> {
    /// Whether each login must be confirmed at [`LOGIN_CHECK`].
    pub fn checks(self) -> bool {
        self.0.checks
    }

    /// For how many seconds a confirmation is good; zero when each login is confirmed by itself.
    pub fn period_seconds(self) -> u64 {
        self.0.period_seconds
    }

    /// Variables that the client may set; `*` and `?` stand for any characters.
    pub fn accept_env(self) -> &'a [String] {
        &self.0.accept_env
    }

    /// Tags of the devices that record the sessions, each once; none when nobody does.
    pub fn recorders(self) -> &'a [Tag] {
        self.0.recording.as_ref().map(|recording| recording.by.as_slice()).unwrap_or_default()
    }

    /// Whether nobody is let in unrecorded; while there is no recorder at all, then, the rule lets nobody in.
    pub fn must_record(self) -> bool {
        self.0.recording.as_ref().is_some_and(|recording| recording.enforced)
    }

    /// Whether people may log in to their own devices.
    pub fn opens_own(self) -> bool {
        self.0.destinations.contains(&Alias::Own)
    }

    /// Whether it names destinations other than `autogroup:self`.
    pub fn names_devices(self) -> bool {
        self.0.destinations.iter().any(|alias| *alias != Alias::Own)
    }

    /// Whether what people may log in as depends on their names.
    pub fn is_by_name(self) -> bool {
        self.0.has_local_part()
    }

    /// Local user by requested user: `=` is the same, the empty text is a refusal. Root is refused unless it is named.
    pub fn users(self) -> BTreeMap<String, String> {
        self.0.user_map()
    }

    /// What `localpart:` entries let this person log in as: the part of the login before the `@`, once for each entry
    /// with the login's domain.
    pub fn names_of(self, login: &str) -> Vec<String> {
        let login = login.to_lowercase();
        let Some((name, own)) = login.split_once('@') else { return Vec::new() };
        let matching = |user: &&SshUser| matches!(user, SshUser::LocalPart(domain) if domain == own);
        self.0.users.iter().filter(matching).map(|_| name.to_owned()).collect()
    }
}
