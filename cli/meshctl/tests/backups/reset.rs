//! A reset: nobody who was not told, nothing that was not written down.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use crate::house::House;

/// Answers one request with this status; gives back what was posted.
fn webhook(status: &'static str) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook/secret-path", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let (_, rest) = head.split_once("content-length: ").unwrap_or_else(|| panic!("{head}"));
        let mut body = vec![0; rest.lines().next().unwrap().trim().parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        String::from_utf8(body).unwrap()
    });
    (url, served)
}

fn run<'a>(plan: &'a str, recipient: &'a str) -> Vec<&'a str> {
    let words = ["reset", "run", "--data-dir", "mesh-data", "--plan", plan];
    [&words[..], &["--backup-to", "backups", "--recipient", recipient]].concat()
}

#[test]
fn a_reset_needs_a_plan_by_which_somebody_was_told_and_keeps_what_was_there() {
    let mut house = House::open();
    house.ok(&["user", "create", "alice"]);
    house.ok(&["server", "key", "rotate"]);
    fs::create_dir_all(house.path("mesh-data/acme")).unwrap();
    house.write("mesh-data/acme/certificate.pem", "a certificate\n");
    let before = house.status();
    house.ok(&["reset", "plan", "--out", "unheard.json", "--reason", "test", "--no-clients"]);
    let (url, heard) = webhook("200 OK");
    house.write("hook.url", &url);
    let told = ["--webhook-file", "hook.url", "--command", "cat > told.json"];
    let plan =
        house.ok(&[&["reset", "plan", "--out", "reset.json", "--reason", "new range"], &told[..]].concat());
    let posted = heard.join().unwrap();
    for text in [&posted, &fs::read_to_string(house.path("told.json")).unwrap()] {
        assert!(
            text.contains("reset_planned") && text.contains("new range") && text.contains("alice"),
            "{text}"
        );
    }
    let receipts = plan["receipts"].as_array().unwrap();
    assert!(receipts.len() == 2 && receipts.iter().all(|r| r["reached"] == true), "{plan}");
    let kept = fs::read_to_string(house.path("reset.json")).unwrap();
    assert!(!kept.contains("secret-path"), "a URL of a webhook is a secret");
    let check = ["check", "--only", "clients.notified", "--reset-plan"];
    assert_eq!(house.ok(&[&check[..], &["reset.json"]].concat())["checks"][0]["state"], "pass");

    let recipient = house.recipient.clone();
    let (unheard, heard) = (run("unheard.json", &recipient), run("reset.json", &recipient));
    assert_eq!(house.refused(&heard), (1, "in_use".to_owned()));
    house.stop();
    assert_eq!(house.refused(&unheard), (1, "nobody_told".to_owned()));
    let tried = house.ok(&[&heard[..], &["--check"]].concat());
    assert!(tried["check"] == true && tried["database"].is_null(), "{tried}");
    let done = house.ok(&heard);
    assert!(house.path(done["aside"].as_str().unwrap()).join("mesh.db").is_file());
    house.ok(&["backup", "verify", done["backup"].as_str().unwrap(), "--age-identity", "ops.key"]);
    assert_eq!(house.refused(&heard), (1, "other_database".to_owned()), "a plan is used up");

    house.start();
    let after = house.status();
    for key in ["public_key", "previous_key"] {
        assert!(after[key] == before[key] && after[key].is_string(), "devices reach it still: {key}");
    }
    assert_eq!(fs::read_to_string(house.path("mesh-data/acme/certificate.pem")).unwrap(), "a certificate\n");
    assert_ne!(after["database"], before["database"]);
    assert_eq!(house.ok(&["user", "list"])["users"].as_array().unwrap().len(), 0);
}

#[test]
fn a_webhook_that_refuses_is_a_receipt_and_a_warning() {
    let house = House::open();
    let (url, heard) = webhook("500 Nope");
    let words =
        ["reset", "plan", "--out", "p.json", "--reason", "x", "--no-clients", "--webhook", &url, "--json"];
    let output = house.run(&words);
    heard.join().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&answer["receipts"][0]["reached"], &answer["receipts"][0]["to"]),
        (&false.into(), &"127.0.0.1".into())
    );
}
