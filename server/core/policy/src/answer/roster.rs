//! Who is there: the people and devices of a tailnet, for answers about all of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ident::Tag;
use ipnet::IpNet;

use crate::{Traits, subject::is_exit};

/// People and devices; devices refer to people by their place in the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// The first is the owner of the tailnet, whose domain is the tailnet's.
    pub people: Vec<Person>,
    /// Of several that serve a route, the first that the policy lets is its primary.
    pub devices: Vec<Device>,
}

/// A person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The name by which `name@` means the person, in lower case.
    pub name: String,
    /// The address by which an alias names the person, in lower case; may be empty.
    pub email: String,
    /// Roles such as `admin`; none where the roster does not know: then everybody is an admin.
    pub roles: Option<Vec<String>>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its key in the answer.
    pub name: String,
    /// How its peers call it.
    pub host: String,
    /// Tags; a device with tags is nobody's.
    pub tags: Vec<Tag>,
    /// Place of the owner in the list of people.
    pub owner: Option<usize>,
    /// Address in the mesh.
    pub v4: Ipv4Addr,
    /// Address in the mesh.
    pub v6: Ipv6Addr,
    /// Routes that are approved, exit routes included.
    pub routes: Vec<IpNet>,
    /// What its client tells about the machine; none where nothing is known, which is no posture at all.
    pub traits: Option<Traits>,
}

impl Device {
    pub(crate) fn addresses(&self) -> [IpAddr; 2] {
        [self.v4.into(), self.v6.into()]
    }

    /// Approved routes but those of an exit node.
    pub(crate) fn subnets(&self) -> impl Iterator<Item = &IpNet> {
        self.routes.iter().filter(|route| !is_exit(route))
    }

    pub(crate) fn is_exit_node(&self) -> bool {
        self.routes.iter().any(is_exit)
    }

    /// The owner of a device without tags.
    pub(crate) fn person(&self) -> Option<usize> {
        self.owner.filter(|_| self.tags.is_empty())
    }
}

impl Person {
    pub(crate) fn is(&self, login: &str) -> bool {
        self.name == login || self.email == login
    }

    /// The two halves of the address.
    pub(crate) fn mailbox(&self) -> Option<(&str, &str)> {
        self.email.split_once('@')
    }
}
