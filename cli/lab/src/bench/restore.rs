//! Back to the lab as it was built, whatever a story or its sudden end left behind.

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Bench, MEMBERS, SETTLED, SPARE, pairs};
use crate::plan::SERVER;
use crate::server::SERVER_URL;
use crate::tailscaled::Tailscaled;

impl Bench<'_> {
    /// Wires plugged, nothing cut, the server up, the members in the mesh under their names and in each other's reach, the spare host
    /// bare.
    pub(crate) fn restore(&mut self) -> Result<()> {
        for lan in self.lab.plan().lans {
            self.lab.mend(lan.router)?;
            for place in lan.hosts {
                self.lab.plug(place.name)?;
            }
        }
        self.lab.fence(true)?;
        self.host(SPARE)?.end_processes(None)?;
        for host in MEMBERS {
            self.host(host)?.end_processes(Some(super::OF_A_STORY))?;
        }
        self.lab.plug(SERVER.0)?;
        if !self.server.runs()? {
            self.server.start_again()?;
        }
        Tailscaled::forget(self.host(SPARE)?)?;
        for host in MEMBERS {
            if !self.member_mut(host)?.runs()? {
                self.member_mut(host)?.start_again()?;
            }
        }
        self.server.set_policy(super::POLICY)?;
        self.server.apply_roles(super::ROLES)?;
        self.server.meshctl(&["dns", "set", "--magic", "on"])?;
        let listed = self.server.meshctl(&["dns", "record", "list"])?;
        for record in listed["records"].as_array().into_iter().flatten() {
            self.withdraw(record["name"].as_str().context("a record without a name")?)?;
        }
        for node in self.server.nodes()? {
            if !self.is_member(&node) {
                self.delete(&node)?;
            }
        }
        self.rejoin()?;
        self.await_mesh(SETTLED)?;
        pairs().try_for_each(|(from, to)| self.must_reach(from, self.ipv4(to)?))
    }

    /// Members that are out of the mesh come in again.
    fn rejoin(&self) -> Result<()> {
        for host in MEMBERS {
            let client = self.member(host)?;
            let is_listed = self.server.node(host).is_ok_and(|node| self.is_member(&node));
            if is_listed && client.state()? == "Running" {
                continue;
            }
            let key = self.server.create_key("node", host)?;
            // With the node key of before and another id, from a server that lost its data, the Go client of a peer that stayed up
            // (1.102) keeps no way to it.
            client.up(SERVER_URL, &key, host, &["--force-reauth"])?;
        }
        Ok(())
    }

    /// Whether a node is the client of the host that it is named after: another may have taken the name.
    fn is_member(&self, node: &Value) -> bool {
        let member = MEMBERS.iter().find(|member| node["name"] == **member);
        let address = member.and_then(|member| self.ipv4(member).ok());
        address.is_some_and(|address| node["ipv4"] == address.to_string())
    }
}
