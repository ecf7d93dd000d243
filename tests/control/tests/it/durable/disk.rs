//! A disk that takes no more: what is answered is true, and nothing acknowledged is lost.

use std::{collections::BTreeSet, path::Path, process::Command, time::Duration};

use api::user;
use tokio::time::{sleep, timeout};

use crate::{
    admin::Admin,
    house::binary::Binary,
    house::{PATIENCE, free_address, furnish},
};

/// From here on no file of the process may grow over so many bytes.
fn limit(server: &Binary, bytes: u64) {
    let pid = server.pid().to_string();
    let done = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")]).status();
    assert!(done.unwrap().success());
}

async fn logins(admin: &Admin) -> BTreeSet<String> {
    let users = admin.call(&user::LIST, &[], &()).await.unwrap().users;
    users.into_iter().map(|u| u.login).collect()
}

fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |m| m.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_at_the_commit_is_not_called_undone_and_the_server_ends() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let server = Binary::start(folder.path(), address, "warn").await;
    furnish(&server.admin).await;
    let data = folder.path().join("data");
    limit(&server, size(&data.join("mesh.db-wal")));

    let path = user::CREATE.declared().at(&["default"]).unwrap();
    let mut sure = BTreeSet::new();
    let mut unsure = None;
    for n in 0..200 {
        let login = format!("user{n}");
        let body = format!(r#"{{"login":"{login}"}}"#);
        match server.admin.raw("POST", &path, body).await {
            Ok((status, _)) if status == 200 => {
                sure.insert(login);
            }
            answer => {
                unsure = Some((login, answer));
                break;
            }
        }
    }
    let (login, answer) = unsure.expect("the limit is never reached");
    if let Ok((status, text)) = answer {
        assert_eq!(status, 503, "{text}");
        assert!(text.contains("\"outcome_unknown\"") && !text.contains("nothing was changed"), "{text}");
    }
    let ended = timeout(PATIENCE, server.ended()).await.expect("it goes on after a write that failed");
    assert!(!ended.success());
    let log = std::fs::read_to_string(folder.path().join("server.log")).unwrap();
    assert!(!log.contains("panicked"), "{log}");

    let server = Binary::start(folder.path(), address, "warn").await;
    let found = logins(&server.admin).await;
    assert!(found.is_superset(&sure), "acknowledged and lost: {:?}", sure.difference(&found));
    assert!(found.len() <= sure.len() + 1 && found.iter().all(|l| sure.contains(l) || *l == login));
    let verdict = server.admin.call(&api::event::VERIFY, &[], &()).await.unwrap();
    assert!(verdict.intact, "{verdict:?}");
    sleep(Duration::from_millis(100)).await;
    assert!(server.stop().await.success());
}
