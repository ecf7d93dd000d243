//! An authority that cannot be asked: the server runs, tells why, and shows no certificate of its own making.

use std::time::Duration;

use api::server::STATUS;
use control::config::{AcmeFile, File};

use crate::{
    authority::Authority,
    house::{House, free_address, soon, without_relay},
    journal,
};

#[tokio::test(flavor = "multi_thread")]
async fn without_a_certificate_the_local_socket_is_served_and_the_reason_is_told() {
    let address = free_address();
    let acme = AcmeFile { directory: Some("https://127.0.0.1:1/dir".into()), ..AcmeFile::default() };
    let file = File {
        server_url: Some(format!("https://mesh.example.com:{}", address.port())),
        listen: Some(address.to_string()),
        acme: Some(acme),
        ..without_relay()
    };
    let house = House::open_in(tempfile::tempdir().unwrap(), file).await;
    let warnings = async || house.admin.call(&STATUS, &[], &()).await.unwrap().warnings;
    let told = async {
        while !warnings()
            .await
            .iter()
            .any(|w| w.contains("no certificate for mesh.example.com from https://127.0.0.1:1"))
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("the reason", told).await;
    assert!(warnings().await.iter().any(|w| w == "acme: there is no certificate yet"));
    assert!(!journal::lines_with("NO CERTIFICATE COULD BE HAD").is_empty());
    let url = format!("https://localhost:{}", address.port());
    assert!(harness::Server::find(&url, Some(Authority::new().trusted())).await.is_err());
    house.close().await;
}
