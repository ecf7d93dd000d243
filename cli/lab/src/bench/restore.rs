//! Back to the lab as it was built, whatever a story or its sudden end left behind.

use anyhow::{Context, Result};

use super::{Bench, MEMBERS, SETTLED, SPARE};
use crate::plan::SERVER;
use crate::tailscaled::Tailscaled;

impl Bench<'_> {
    /// Wires plugged, nothing cut, the server up, the members in the mesh under their names, the spare host bare.
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
            if !MEMBERS.iter().any(|member| node["name"] == *member) {
                self.delete(&node)?;
            }
        }
        self.rejoin()?;
        self.await_mesh(SETTLED)
    }

    /// Members that are out of the mesh come in again.
    fn rejoin(&self) -> Result<()> {
        for host in MEMBERS {
            let client = self.member(host)?;
            if client.state()? != "Running" || self.server.node(host).is_err() {
                let key = self.server.create_key("node", host)?;
                super::joined(client, host, &key)?;
            }
        }
        Ok(())
    }
}
