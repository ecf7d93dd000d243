//! Where hosts stand: homes behind routers, around a small internet with the server on it.
//!
//! The internet has private addresses on purpose: a client that is given `http://` and a private address dials
//! that port alone and never tries 443.

/// Homes of a lab; the server and the switches are the same in each.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub lans: &'static [Lan],
}

/// A home: a router with NAT, and hosts behind it in a network of 256.
#[derive(Debug)]
pub struct Lan {
    pub router: &'static str,
    /// The router's address on the internet.
    pub wan: &'static str,
    /// The router's address at home.
    pub gateway: &'static str,
    pub hosts: &'static [Place],
    /// Whether the router lets UDP out.
    pub udp: bool,
}

/// A host in a home.
#[derive(Debug)]
pub struct Place {
    pub name: &'static str,
    pub address: &'static str,
    pub purpose: &'static str,
    /// Whether a firewall stands in its cable: no UDP at all, and TCP to the server alone.
    pub fenced: bool,
}

/// Host and address of the server.
pub const SERVER: (&str, &str) = ("srv", "172.30.0.10");
/// The host whose network holds the switches, and so every wire.
pub const SWITCHES: &str = "switches";

/// Four clients behind three routers:
///
/// ```text
///   srv 172.30.0.10 ──┬── 172.30.0.0/24, "the internet"
///                     ├── r1 172.30.0.1 NAT ── 192.168.1.0/24 ── c1 .11, c2 .12
///                     ├── r2 172.30.0.2 NAT ── 10.0.0.0/24 ───── c3 .13
///                     └── r3 172.30.0.3 NAT ── 192.168.2.0/24 ── c4 .14     (drops all UDP)
/// ```
pub const HOMES: Plan = Plan {
    lans: &[
        Lan {
            router: "r1",
            wan: "172.30.0.1",
            gateway: "192.168.1.1",
            hosts: &[open("c1", "192.168.1.11", "client"), open("c2", "192.168.1.12", "client")],
            udp: true,
        },
        Lan {
            router: "r2",
            wan: "172.30.0.2",
            gateway: "10.0.0.1",
            hosts: &[open("c3", "10.0.0.13", "client")],
            udp: true,
        },
        Lan {
            router: "r3",
            wan: "172.30.0.3",
            gateway: "192.168.2.1",
            hosts: &[open("c4", "192.168.2.14", "client")],
            udp: false,
        },
    ],
};

/// The lab of the acceptance stories: three clients on two networks, one of them behind a firewall of its own, a
/// neighbour who is not in the mesh, and a spare host that comes and goes:
///
/// ```text
///   srv 172.30.0.10 ──┬── 172.30.0.0/24, "the internet"
///                     ├── r1 172.30.0.1 NAT ── 192.168.1.0/24 ── a .11, outsider .99
///                     └── r2 172.30.0.2 NAT ── 10.0.0.0/24 ───── b .12, c .13 (firewall), spare .14
/// ```
pub const ACCEPTANCE: Plan = Plan {
    lans: &[
        Lan {
            router: "r1",
            wan: "172.30.0.1",
            gateway: "192.168.1.1",
            hosts: &[
                open("a", "192.168.1.11", "client"),
                open("outsider", "192.168.1.99", "not in the mesh"),
            ],
            udp: true,
        },
        Lan {
            router: "r2",
            wan: "172.30.0.2",
            gateway: "10.0.0.1",
            hosts: &[
                open("b", "10.0.0.12", "client"),
                Place {
                    name: "c",
                    address: "10.0.0.13",
                    purpose: "client behind a firewall without UDP",
                    fenced: true,
                },
                open("spare", "10.0.0.14", "comes and goes"),
            ],
            udp: true,
        },
    ],
};

const fn open(name: &'static str, address: &'static str, purpose: &'static str) -> Place {
    Place { name, address, purpose, fenced: false }
}

impl Plan {
    /// All hosts, in no order that matters.
    pub fn names(self) -> Vec<&'static str> {
        let routers = self.lans.iter().map(|lan| lan.router);
        let hosts = self.lans.iter().flat_map(|lan| lan.hosts.iter().map(|place| place.name));
        [SWITCHES, SERVER.0].into_iter().chain(routers).chain(hosts).collect()
    }

    /// Name, address beside the mesh and purpose of every host but the switches.
    pub fn places(self) -> Vec<(&'static str, &'static str, &'static str)> {
        let routers = self.lans.iter().map(|lan| (lan.router, lan.wan, "router with NAT"));
        let hosts = self.lans.iter().flat_map(|lan| lan.hosts);
        let hosts = hosts.map(|place| (place.name, place.address, place.purpose));
        [(SERVER.0, SERVER.1, "control server, relay")].into_iter().chain(routers).chain(hosts).collect()
    }

    /// The address of a host beside the mesh.
    pub fn address(self, name: &str) -> Option<&'static str> {
        let places = self.lans.iter().flat_map(|lan| lan.hosts.iter());
        let address = places.filter(|place| place.name == name).map(|place| place.address).next();
        address.or((name == SERVER.0).then_some(SERVER.1))
    }
}
