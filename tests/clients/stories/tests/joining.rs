//! Devices of people: let in by a page in a browser, or by a command; coming back, and another person.
#![cfg(test)]

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use client_stories::{Browser, Mesh};
use lab::{Clients, Lab, Output, SERVER_URL, Tailscaled, until};

const UP: Duration = Duration::from_secs(50);
const SOON: Duration = Duration::from_secs(20);

/// `tailscale up` without a key, while `let_in` does something with the URL that the client shows. Gives what the client said.
fn up(client: &Tailscaled<'_>, extra: &[&str], let_in: impl FnOnce(&str) -> Result<()>) -> Result<Output> {
    let login_server = format!("--login-server={SERVER_URL}");
    let words: Vec<&str> = ["up", &login_server, "--hostname=laptop", "--timeout=45s"]
        .into_iter()
        .chain(extra.iter().copied())
        .collect();
    let before = client.status()?["AuthURL"].as_str().unwrap_or_default().to_owned();
    thread::scope(|scope| {
        let joining = scope.spawn(|| client.tailscale(&words, UP));
        let url = until(SOON, "the client to show a page", || {
            let status = client.status()?;
            let url = status["AuthURL"].as_str().filter(|url| !url.is_empty() && **url != before);
            Ok(url.map(str::to_owned))
        });
        let done = url.and_then(|url| let_in(&url).map(|()| url));
        let Ok(output) = joining.join() else { bail!("`tailscale up` panicked") };
        let (url, output) = (done?, output?);
        ensure!(output.stderr.contains(&url), "the URL was not printed: {}", output.stderr);
        output.ok()
    })
}

fn approve(mesh: &Mesh<'_>, url: &str, login: &str) -> Result<()> {
    let answer = mesh.server.meshctl(&["node", "approve", url, "--user", login])?;
    ensure!(answer["changed"] == true, "{answer}");
    Ok(())
}

#[test]
fn a_person_lets_a_device_in_with_a_browser() {
    let lab = Lab::start().unwrap();
    let mesh = Mesh::start_for_browsers(&lab).unwrap();
    mesh.server.meshctl(&["user", "create", "alice"]).unwrap();
    let key = mesh.api_key().unwrap();

    let client = Tailscaled::start(lab.host("c1").unwrap(), &Clients::find().unwrap()).unwrap();
    let browser = Browser::start(lab.host("c2").unwrap()).unwrap();
    let started = Instant::now();
    up(&client, &[], |url| {
        browser.open(url)?;
        ensure!(browser.text("h1")? == "laptop wants in", "{}", browser.text("body")?);
        browser.write("#key", &key)?;
        browser.press("#enter")?;
        ensure!(browser.text("dl")?.contains("linux"), "{}", browser.text("body")?);
        ensure!(client.state()? == "NeedsLogin", "to look at the page lets nobody in");
        browser.press("#owner option[value^='user:']")?;
        browser.press("#approve")?;
        let said = browser.text("#in")?;
        ensure!(said.contains("laptop.mesh.internal") && said.contains("alice"), "{said}");
        Ok(())
    })
    .unwrap();
    println!("from `tailscale up` to joined by a browser: {:?}", started.elapsed());
    assert_eq!(client.state().unwrap(), "Running");
    let node = mesh.server.node("laptop").unwrap();
    assert_eq!((node["user"].as_str(), node["tags"].as_array().map(Vec::len)), (Some("alice"), Some(0)));
}

#[test]
fn a_device_comes_back_as_the_same_and_with_another_person_as_another() {
    let lab = Lab::start().unwrap();
    let mut mesh = Mesh::start(&lab).unwrap();
    for login in ["alice", "bob"] {
        mesh.server.meshctl(&["user", "create", login]).unwrap();
    }
    let client = Tailscaled::start(lab.host("c1").unwrap(), &Clients::find().unwrap()).unwrap();
    // The server is killed and comes back while the device waits.
    let server = &mut mesh.server;
    up(&client, &[], |url| {
        server.kill9()?;
        server.start_again()?;
        let waiting = server.meshctl(&["node", "pending"])?;
        ensure!(waiting["logins"][0]["url"] == url, "the login is lost: {waiting}");
        server.meshctl(&["node", "approve", url, "--user", "alice"]).map(drop)
    })
    .unwrap();
    let (before, addresses) = (mesh.server.node("laptop").unwrap(), client.addresses().unwrap());

    let started = Instant::now();
    mesh.server.meshctl(&["node", "expire", "laptop"]).unwrap();
    until(SOON, "the client to learn of it", || Ok((client.state()? == "NeedsLogin").then_some(()))).unwrap();
    println!("from `node expire` to the client's login: {:?}", started.elapsed());
    up(&client, &["--force-reauth"], |url| mesh.server.meshctl(&["node", "approve", url]).map(drop)).unwrap();
    let after = mesh.server.node("laptop").unwrap();
    assert_eq!((&after["id"], &after["user"]), (&before["id"], &before["user"]));
    assert_ne!(after["node_key"], before["node_key"]);
    assert_eq!(client.addresses().unwrap(), addresses);

    up(&client, &["--force-reauth"], |url| approve(&mesh, url, "bob")).unwrap();
    let bobs = mesh.server.node("laptop-1").context("another node").unwrap();
    assert_eq!(bobs["user"], "bob");
    assert_ne!(client.addresses().unwrap(), addresses);
    up(&client, &["--force-reauth"], |url| approve(&mesh, url, "alice")).unwrap();
    assert_eq!(client.addresses().unwrap(), addresses, "alice's node is there again");
    assert_eq!(mesh.server.nodes().unwrap().len(), 2);
}
