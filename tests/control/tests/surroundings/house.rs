//! A server in this process, on a folder of its own, with a configuration that a test writes.

use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use api::{policy, role};
use control::{
    Fault, Server,
    config::{Config, File, Flags, RelayFile, resolve},
};
use harness::Identity;
use tempfile::TempDir;
use wire::DerpRegion;

use crate::{device::Device, journal};
use control_tests::admin::{Admin, reusable};
pub use control_tests::{address::free_address, patience::soon};

const POLICY: &str = r#"{
    "tagOwners": {"tag:member": []},
    "acls": [{"action": "accept", "src": ["tag:member"], "dst": ["tag:member:*"]}],
}"#;

/// A running server.
pub struct House {
    pub server: Server,
    pub admin: Admin,
    pub address: SocketAddr,
    folder: TempDir,
    file: File,
}

impl House {
    /// Starts with this configuration; address and folder are chosen here.
    pub async fn open(file: File) -> Self {
        let file = File { listen: Some(free_address().to_string()), ..file };
        Self::open_in(tempfile::tempdir().unwrap(), file).await
    }

    /// Starts in this folder, with the address that the configuration names.
    pub async fn open_in(folder: TempDir, file: File) -> Self {
        let config = config(folder.path(), &file);
        let address = config.listen;
        let server = start(config).await.unwrap();
        let admin = Admin::local(server.ready().socket.clone());
        Self { server, admin, address, folder, file }
    }

    /// Stops the server in order.
    pub async fn close(self) -> (TempDir, File) {
        self.server.stop().await;
        (self.folder, self.file)
    }

    /// Stops it and starts it again with the same configuration.
    pub async fn restart(self) -> Self {
        let (folder, file) = self.close().await;
        Self::open_in(folder, file).await
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where clients without TLS find it.
    pub async fn at(&self) -> harness::Server {
        harness::Server::find(&format!("http://{}", self.address), None).await.unwrap()
    }

    /// Puts a policy and a role in place and makes a key for devices that all reach each other.
    pub async fn key(&self) -> String {
        self.admin.call(&policy::SET, &[], &policy::Edit::of(POLICY)).await.unwrap();
        let tags = Some(vec!["tag:member".parse().unwrap()]);
        let set = role::Set { tags, reusable: Some(true), ..role::Set::default() };
        self.admin.call(&role::SET, &["member"], &set).await.unwrap();
        self.admin.key(&reusable()).await
    }

    /// The DERP map that clients are told.
    pub fn regions(&self) -> BTreeMap<u32, DerpRegion> {
        self.server.doors().derp_map().regions.clone()
    }
}

/// A device that has joined with this key.
pub async fn join(at: &harness::Server, key: &str, hostname: &str) -> Device {
    let device = Device::connect(at, Identity::random().unwrap(), hostname).await;
    let answer = device.register(Some(key)).await;
    assert!(answer.machine_authorized && answer.error.is_empty(), "{answer:?}");
    device
}

/// What most tests do without.
pub fn without_relay() -> File {
    File { relay: Some(RelayFile { enabled: Some(false), ..RelayFile::default() }), ..File::default() }
}

/// The configuration as the server takes it.
pub fn config(folder: &Path, file: &File) -> Config {
    let file = File { data_dir: Some(folder.to_owned()), ..file.clone() };
    resolve(&file, &Flags::default()).unwrap()
}

/// Starts as the program does, with its cryptography and a log.
pub async fn start(config: Config) -> Result<Server, Fault> {
    journal::open();
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Server::start(config).await
}
