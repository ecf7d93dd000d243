//! Certificate files that are exchanged while the server runs.

use std::{fs, path::Path, time::Duration};

use api::server::STATUS;
use control::config::TlsFile;
use tempfile::TempDir;

use crate::{
    authority::{Authority, Good},
    device::online,
    house::{House, join, soon},
    journal,
    secure::with,
};

/// Trusted by nobody at first: each of these tests begins with a pair of `old` and goes on with one of `new`.
struct Renewal {
    house: House,
    files: TempDir,
    tls: TlsFile,
    old: Authority,
    new: Authority,
}

async fn open() -> Renewal {
    let (old, new, files) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
    let tls = old.files(files.path(), "mesh", "localhost");
    let house = House::open_in(tempfile::tempdir().unwrap(), with(tls.clone())).await;
    Renewal { house, files, tls, old, new }
}

impl Renewal {
    /// The server as those see it who trust this authority only; none when it shows another's certificate.
    async fn seen_by(&self, authority: &Authority) -> Option<harness::Server> {
        let url = &self.house.server.ready().server_url;
        harness::Server::find(url, Some(authority.trusted())).await.ok()
    }

    async fn shows(&self, authority: &Authority) -> harness::Server {
        let shown = async {
            loop {
                if let Some(at) = self.seen_by(authority).await {
                    return at;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        soon("the other certificate", shown).await
    }

    async fn warnings(&self) -> Vec<String> {
        self.house.admin.call(&STATUS, &[], &()).await.unwrap().warnings
    }

    async fn warns_of(&self, what: &str) {
        let warned = async {
            while !self.warnings().await.iter().any(|warning| warning.contains(what)) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        soon(what, warned).await;
    }

    fn path(&self, key: bool) -> &Path {
        let path = if key { &self.tls.key_file } else { &self.tls.cert_file };
        path.as_deref().unwrap()
    }
}

/// As most programs do it, and in two steps.
fn put(from: &TlsFile, to: &Renewal) {
    for (from, key) in [(&from.cert_file, false), (&from.key_file, true)] {
        let aside = to.path(key).with_extension("new");
        fs::copy(from.as_deref().unwrap(), &aside).unwrap();
        fs::rename(aside, to.path(key)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_is_shown_and_who_is_connected_stays() {
    let it = open().await;
    let at = it.seen_by(&it.old).await.unwrap();
    let key = it.house.key().await;
    let [laptop, peer] = [join(&at, &key, "laptop").await, join(&at, &key, "peer").await];
    let id = peer.myself().await.id;
    let mut ours = laptop.listen().await;
    put(&it.new.files(it.files.path(), "next", "localhost"), &it);
    let at = it.shows(&it.new).await;
    assert!(it.seen_by(&it.old).await.is_none(), "the one before is shown no more");
    let _theirs = peer.again(&at).await.listen().await;
    ours.until("the peer online", |m| online(m, id)).await;
    assert_eq!(it.warnings().await, Vec::<String>::new());
    it.house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_cannot_be_used_leaves_the_one_before_and_is_told() {
    let it = open().await;
    let next = it.new.files(it.files.path(), "next", "localhost");
    fs::copy(next.cert_file.as_deref().unwrap(), it.path(false)).unwrap();
    it.warns_of("mesh-key.pem cannot be used").await;
    assert!(!journal::lines_with("THE CERTIFICATE FILES ARE NOT USED").is_empty());
    fs::write(it.path(false), [0xff; 3000]).unwrap();
    it.warns_of("no certificate in it").await;
    fs::remove_file(it.path(false)).unwrap();
    it.warns_of("No such file").await;
    assert!(it.seen_by(&it.old).await.is_some(), "the good one is shown all the time");
    put(&next, &it);
    it.shows(&it.new).await;
    assert_eq!(it.warnings().await, Vec::<String>::new(), "nothing is wrong any more");
    it.house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_has_expired_takes_the_place_of_no_good_one_and_one_that_expires_soon_is_told() {
    let it = open().await;
    put(&it.new.files_good(it.files.path(), "past", "localhost", Good::Past), &it);
    it.warns_of("expired at").await;
    assert!(it.seen_by(&it.old).await.is_some());
    put(&it.new.files_good(it.files.path(), "short", "localhost", Good::ThreeDays), &it);
    it.shows(&it.new).await;
    it.warns_of("expires at").await;
    it.house.close().await;
}
