//! A server in this process with a policy, roles and clients.

pub mod binary;

use std::{io, net::SocketAddr, path::Path, sync::Arc};

use api::{key, policy, role};
use control::{
    Fault, Server,
    config::{AdminFile, Config, DnsFile, File, Flags, KeysFile, RelayFile, resolve},
};
use harness::{Identity, Pipes};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::duplex;
use world::World;

use crate::{
    admin::{Admin, reusable},
    device::Device,
};
pub use control_tests::{
    address::free_address,
    patience::{PATIENCE, eventually},
};

/// Members reach each other; islands reach nothing.
pub const POLICY: &str = r#"{
    "tagOwners": {"tag:member": [], "tag:island": []},
    "acls": [{"action": "accept", "src": ["tag:member"], "dst": ["tag:member:*"]}],
}"#;

/// What a test wants to be different.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub leaving_grace: &'static str,
    pub ephemeral_grace: &'static str,
    /// Where the relay listens, if it is on.
    pub relay: Option<SocketAddr>,
    /// What clients would be told, if it is not where the server listens.
    pub server_url: Option<&'static str>,
    /// A file in the server's folder that it watches for DNS records.
    pub records_file: Option<&'static str>,
    /// A site whose pages may call the admin API.
    pub cors_origin: Option<&'static str>,
    /// Where metrics are served, if they are.
    pub monitor: Option<SocketAddr>,
    /// Whether keys without tags are made and taken.
    pub allow_untagged: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            leaving_grace: "1s",
            ephemeral_grace: "30m",
            relay: None,
            server_url: None,
            records_file: None,
            cors_origin: None,
            monitor: None,
            allow_untagged: false,
        }
    }
}

/// A running server on a folder of its own.
pub struct House {
    server: Server,
    pub at: harness::Server,
    pub admin: Admin,
    pub address: SocketAddr,
    folder: TempDir,
    setup: Setup,
}

impl House {
    pub async fn open() -> Self {
        Self::open_with(Setup::default()).await
    }

    pub async fn open_with(setup: Setup) -> Self {
        let house = Self::bare(setup).await;
        furnish(&house.admin).await;
        house
    }

    /// Without a policy or roles.
    pub async fn bare(setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let server = Server::start(config(folder.path(), address, setup)).await.unwrap();
        let admin = Admin::local(server.ready().socket.clone());
        let at = find(address).await;
        Self { server, at, admin, address, folder, setup }
    }

    /// Stops the server in order; the folder stays until the value that is given back is dropped.
    pub async fn close(self) -> TempDir {
        self.server.stop().await;
        self.folder
    }

    /// Stops it and starts it again on the same folder and port.
    pub async fn restart(self) -> Self {
        let setup = self.setup;
        self.restart_with(setup).await
    }

    /// The same with other settings.
    pub async fn restart_with(self, setup: Setup) -> Self {
        let Self { server, admin, address, folder, .. } = self;
        server.stop().await;
        let server = Server::start(config(folder.path(), address, setup)).await.unwrap();
        Self { server, at: find(address).await, admin, address, folder, setup }
    }

    /// What another server on the same folder says.
    pub async fn intruder(&self) -> Fault {
        refusal(config(self.folder.path(), free_address(), self.setup)).await
    }

    /// The same server, reached through memory, as from this address.
    pub fn through_memory(&self, from: SocketAddr) -> harness::Server {
        let listener = self.server.listener().clone();
        let refused = || io::Error::other("not let in");
        self.at.clone().through(Pipes(Arc::new(move || {
            let (outside, inside) = duplex(4096);
            listener.welcome(inside, from).then_some(outside).ok_or_else(refused)
        })))
    }

    pub fn world(&self) -> Arc<World> {
        self.server.doors().hub.world()
    }
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A member that has joined with a key of its own.
    pub async fn member(&self, hostname: &str) -> Device {
        let key = self.admin.key(&reusable()).await;
        self.join(Identity::random().unwrap(), &key, hostname).await
    }

    /// A device that may reach nobody and be reached by nobody.
    pub async fn island(&self, hostname: &str) -> Device {
        let create = key::Create { role: "island".into(), allow_no_access: true, ..reusable() };
        let key = self.admin.key(&create).await;
        self.join(Identity::random().unwrap(), &key, hostname).await
    }

    /// Joins with this key, which must work.
    pub async fn join(&self, me: Identity, key: &str, hostname: &str) -> Device {
        let device = Device::connect(&self.at, me, hostname).await;
        let answer = device.register(Some(key)).await;
        assert_eq!(answer.error, "");
        assert!(answer.machine_authorized && !answer.node_key_expired);
        device
    }
}

/// Puts policy and roles in place.
pub async fn furnish(admin: &Admin) {
    set_policy(admin, POLICY).await;
    for name in ["member", "island"] {
        let tag = format!("tag:{name}").parse().unwrap();
        let set = role::Set { tags: Some(vec![tag]), reusable: Some(true), ..role::Set::default() };
        admin.call(&role::SET, &[name], &set).await.unwrap();
    }
}

pub async fn set_policy(admin: &Admin, text: &str) {
    admin.call(&policy::SET, &[], &policy::Edit::of(text).accepting()).await.unwrap();
}

pub async fn find(address: SocketAddr) -> harness::Server {
    harness::Server::find(&format!("http://{address}"), None).await.unwrap()
}

/// Waits until the database of a server that was stopped is one file, which a test may change.
pub async fn at_rest(folder: &Path) {
    let journal = folder.join("mesh.db-wal");
    eventually("the database is closed", || !journal.exists()).await;
}

/// Why a server does not start with this.
pub async fn refusal(config: Config) -> Fault {
    match Server::start(config).await {
        Err(fault) => fault,
        Ok(_) => panic!("it started"),
    }
}

pub fn config(folder: &Path, address: SocketAddr, setup: Setup) -> Config {
    let relay = RelayFile {
        enabled: Some(setup.relay.is_some()),
        listen: setup.relay.map(|address| address.to_string()),
        stun: Some("off".into()),
        ..RelayFile::default()
    };
    let admin = AdminFile {
        cors_origins: setup.cors_origin.map(Into::into).into_iter().collect(),
        listen: Some(setup.monitor.map_or("off".into(), |at| at.to_string())),
        ..AdminFile::default()
    };
    let file = File {
        admin: Some(admin),
        keys: Some(KeysFile { allow_untagged: Some(setup.allow_untagged) }),
        dns: setup
            .records_file
            .map(|name| DnsFile { records_file: Some(folder.join(name)), ..DnsFile::default() }),
        server_url: setup.server_url.map(str::to_owned),
        listen: Some(address.to_string()),
        data_dir: Some(folder.to_owned()),
        relay: Some(relay),
        leaving_grace: Some(setup.leaving_grace.into()),
        ephemeral_grace: Some(setup.ephemeral_grace.into()),
        ..File::default()
    };
    resolve(&file, &Flags::default()).unwrap()
}

/// Everything in a World that must outlive the process.
pub fn durable(world: &World) -> serde_json::Value {
    json!({
        "nodes": world.nodes.iter().map(|n| json!(**n)).collect::<Vec<_>>(),
        "users": world.users.values().map(|u| json!(**u)).collect::<Vec<_>>(),
        "roles": world.roles.values().map(|r| json!(**r)).collect::<Vec<_>>(),
        "auth_keys": world.auth_keys.values().map(|k| json!(**k)).collect::<Vec<_>>(),
        "api_keys": world.api_keys.values().map(|k| json!(**k)).collect::<Vec<_>>(),
        "policy": world.policy.policy.text(),
        "dns": json!(*world.dns),
        "next": format!("{:?}", world.next_ids()),
    })
}
