//! What makes a story fail, for the proof that it can.

use anyhow::Result;

use super::Stage;

const OPENS_ONE_PORT: &str = r#"{
  "tagOwners": {"tag:node": []},
  "acls": [{"action": "accept", "src": ["tag:node"], "dst": ["tag:node:22"]}],
}"#;
const DENIES_ALL: &str = r#"{"tagOwners": {"tag:node": []}, "acls": []}"#;

/// One way to spoil a story. Most are done before it begins; the others the story does to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    ServerAway,
    PolicyDeniesAll,
    PolicyOpensOnePort,
    FirstRenamed,
    NamesOff,
    FenceOpen,
    OtherName,
    NeverRenamed,
    NeverLeft,
    NeverMended,
    Plaintext,
    BoundEverywhere,
    ServerForgets,
    RelayCutToo,
    NotDeleted,
    SameVersion,
    SlowBuild,
}

impl Sabotage {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::ServerAway => "the server is down",
            Self::PolicyDeniesAll => "the policy lets nobody reach anybody",
            Self::PolicyOpensOnePort => "the policy opens another port alone",
            Self::FirstRenamed => "the name of the first host is free",
            Self::NamesOff => "MagicDNS is off",
            Self::OtherName => "the new host asks for another name",
            Self::NeverRenamed => "the host keeps its name",
            Self::NeverLeft => "the host does not sign off",
            Self::FenceOpen => "the firewall of c is gone",
            Self::NeverMended => "what was cut stays cut",
            Self::Plaintext => "somebody says the word beside the mesh",
            Self::BoundEverywhere => "nginx binds all addresses",
            Self::ServerForgets => "the server's data are lost",
            Self::RelayCutToo => "the relay is out of reach as well",
            Self::NotDeleted => "nobody removes the dead node",
            Self::SameVersion => "both clients are of the same release",
            Self::SlowBuild => "the lab took a quarter of an hour longer",
        }
    }
}

impl Stage<'_> {
    /// Whether the story that is told is to spoil itself so.
    pub(super) fn sabotaged(&self, how: Sabotage) -> bool {
        self.sabotage == Some(how)
    }

    /// Takes back what was cut on a router.
    pub(super) fn mend(&self, router: &str) -> Result<()> {
        if self.sabotaged(Sabotage::NeverMended) {
            return Ok(());
        }
        self.bench.lab.mend(router)
    }

    /// Does what is done before a story.
    pub(super) fn spoil(&mut self, how: Sabotage) -> Result<()> {
        self.sabotage = Some(how);
        match how {
            Sabotage::ServerAway => self.bench.server.kill9(),
            Sabotage::PolicyDeniesAll => self.bench.server.set_policy(DENIES_ALL),
            Sabotage::PolicyOpensOnePort => self.bench.server.set_policy(OPENS_ONE_PORT),
            Sabotage::FirstRenamed => self.bench.server.meshctl(&["node", "rename", "a", "first"]).map(drop),
            Sabotage::NamesOff => self.bench.server.meshctl(&["dns", "set", "--magic", "off"]).map(drop),
            Sabotage::FenceOpen => self.bench.lab.fence(false),
            _ => Ok(()),
        }
    }
}
