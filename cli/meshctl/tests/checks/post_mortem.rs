//! Failures of one roll-out, with a real server: without the fault the check passes, with it the check fails, and the
//! line that it prints heals it.

use std::{fs, path::Path};

use crate::bench::Bench;

const PAGE: &str = include_str!("../../../../docs/reference/failures.md");

#[test]
fn every_failure_has_a_check_and_a_test_that_exist() {
    let listed = Bench::new().run("check --list --json").ok().json().to_string();
    let rows: Vec<Vec<&str>> = PAGE.lines().map(|line| line.split(" | ").collect()).collect();
    let rows: Vec<_> =
        rows.into_iter().filter(|cells| cells.len() == 5 && cells[2].starts_with('`')).collect();
    let numbers: Vec<_> = rows.iter().map(|cells| cells[0].trim_start_matches("| ")).collect();
    assert_eq!(numbers, ["1", "2", "3", "4", "5", "6", "7"]);
    for cells in rows {
        for id in cells[2].split('`').skip(1).step_by(2) {
            assert!(listed.contains(&format!("\"id\":\"{id}\"")), "there is no check {id}");
        }
        for name in cells[3].split('`').skip(1).step_by(2) {
            let (file, test) = name.split_once("::").unwrap();
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
            let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert!(text.contains(&format!("fn {test}(")), "{test} is not in {file}");
        }
    }
}

#[test]
fn split_dns_over_the_control_name() {
    let bench = Bench::served();
    let id = "dns.split-excludes-bootstrap";
    let judged = || bench.check(&format!("--only {id} --url https://vpn.aws.example.com"));
    bench.run("dns set --split other.example.com=10.0.0.2").ok();
    assert_eq!(judged().state(id), "pass");

    bench.run("dns set --split aws.example.com=10.0.0.2 --force").ok();
    let failed = judged();
    assert_eq!((failed.code, failed.state(id).as_str()), (1, "fail"), "{}", failed.out);

    let fix = failed.fix(id);
    bench.run(fix.strip_prefix("meshctl ").unwrap()).ok();
    assert_eq!(judged().ok().state(id), "pass");
}

#[test]
fn database_and_noise_key_wiped() {
    let mut bench = Bench::served();
    bench.run("check --remember before.json").ok();
    let judged =
        |bench: &Bench| bench.check("--only control.handshake --only server.answers --expect before.json");
    assert_eq!(judged(&bench).ok().state("control.handshake"), "pass");

    bench.stop();
    fs::rename(bench.path("mesh-data"), bench.path("lost")).unwrap();
    bench.serve();
    let failed = judged(&bench);
    assert_eq!((failed.code, failed.state("control.handshake").as_str()), (1, "fail"), "{}", failed.out);
    assert!(failed.fix("control.handshake").contains("restore"), "{}", failed.out);

    bench.stop();
    fs::rename(bench.path("mesh-data"), bench.path("rebuilt")).unwrap();
    fs::rename(bench.path("lost"), bench.path("mesh-data")).unwrap();
    bench.serve();
    assert_eq!(judged(&bench).ok().state("control.handshake"), "pass");
}

#[test]
fn a_key_that_opens_nothing() {
    let bench = Bench::served();
    let id = "policy.no-legacy-keys";
    let judged = || bench.check(&format!("--only {id} --only policy.roles-open-something"));
    assert_eq!(judged().ok().state(id), "pass");

    let policy = bench.run("policy get --json").ok().json()["policy"].as_str().unwrap().to_owned();
    let widened = policy.replacen("\"tagOwners\": {", "\"tagOwners\": {\"tag:legacy\": [], ", 1);
    assert_ne!(policy, widened, "{policy}");
    let named = r#""tag:server:*", "tag:router:*", "tag:exit:*""#;
    let narrower = widened.replacen("\"*:*\"", named, 1);
    assert_ne!(narrower, widened, "{policy}");
    bench.write("policy.hujson", &narrower);
    bench.run("policy set policy.hujson").ok();
    bench.run("role set legacy --tag tag:legacy").ok();
    bench.run("key create --role legacy --allow-no-access --out legacy.key").ok();
    let failed = judged();
    assert_eq!((failed.code, failed.state(id).as_str()), (1, "fail"), "{}", failed.out);
    assert_eq!(failed.state("policy.roles-open-something"), "fail");

    let fix = failed.fix(id).replace("ROLE", "server").replace("FILE", "server.key");
    let (make, void) = fix.split_once(" && ").unwrap();
    bench.run(make.strip_prefix("meshctl ").unwrap()).ok();
    bench.run(void.strip_prefix("meshctl ").unwrap()).ok();
    assert_eq!(judged().state(id), "pass");
}

#[test]
fn an_empty_file_of_an_agent() {
    let bench = Bench::new();
    let id = "files.non-empty";
    let judged = || bench.check(&format!("--only {id} --file etc/client.keys=wazuh-keys"));
    let key = "0123456789abcdef".repeat(4);
    let path = bench.write("etc/client.keys", &format!("001 web any {key}\n"));
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    assert_eq!(judged().ok().state(id), "pass");
    fs::write(&path, "").unwrap();
    let failed = judged();
    assert_eq!((failed.code, failed.state(id).as_str()), (1, "fail"));
    assert!(failed.fix(id).contains("size == 0"), "{}", failed.out);
    fs::remove_file(&path).unwrap();
    assert_eq!(judged().state(id), "fail");
}

#[test]
fn the_servers_own_files() {
    let bench = Bench::served();
    let judged = || bench.check("--only files.non-empty --data-dir mesh-data");
    let whole = judged().ok();
    assert_eq!(whole.state("files.non-empty"), "pass", "{}", whole.out);
    fs::write(bench.path("mesh-data/noise.key"), "").unwrap();
    assert_eq!(judged().state("files.non-empty"), "fail");
}

#[test]
fn a_database_reset_under_a_consumers_key() {
    let mut bench = Bench::served();
    bench.run("apikey create --out deployed.key").ok();
    bench.write("pass", "a password of some length");
    bench.write("vault.yml", "other: 1\n");
    let keys = "--vault-password-file pass";
    bench
        .run(&format!(
            "secret set --create --file vault.yml --var headplane --value-file deployed.key {keys}"
        ))
        .ok();
    let judged = |bench: &Bench| {
        bench.check(&format!(
            "--only apikey.live --only vault.matches-server --deployed-key deployed.key --vault vault.yml --var headplane {keys}"
        ))
    };
    let well = judged(&bench).ok();
    assert_eq!(well.state("apikey.live"), "pass", "{}", well.out);
    assert_eq!(well.state("vault.matches-server"), "pass", "{}", well.out);

    bench.stop();
    fs::remove_dir_all(bench.path("mesh-data")).unwrap();
    bench.serve();
    let failed = judged(&bench);
    assert_eq!(failed.code, 1, "{}", failed.out);
    assert_eq!(failed.state("apikey.live"), "fail");
    assert_eq!(failed.state("vault.matches-server"), "fail");
    assert!(failed.fix("apikey.live").starts_with("meshctl secret rotate headplane-api-key"));

    let deploy = format!("meshctl secret get --file vault.yml --var headplane {keys} --out deployed.key");
    let verify = "meshctl secret list vault.yml";
    bench.write(
        "use.sh",
        &format!("meshctl --server {} --api-key-file deployed.key node list\n", bench.url()),
    );
    let rotated = bench.run(&format!(
        "secret rotate headplane-api-key --file vault.yml --var headplane {keys} --allow-dirty --deploy '{deploy}' --verify-command 'sh use.sh && {verify}'"
    ));
    assert_eq!(rotated.code, 0, "{rotated:?}");
    let healed = judged(&bench).ok();
    assert_eq!(healed.state("apikey.live"), "pass", "{}", healed.out);
    assert_eq!(healed.state("vault.matches-server"), "pass", "{}", healed.out);
}
