//! Chromium on a host, driven through chromedriver (W3C WebDriver) as a hand would: open, type, choose, press.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lab::{Host, Process, until};
use serde_json::{Value, json};

const PORT: u16 = 9515;
const FOUND_WITHIN: Duration = Duration::from_secs(30);
/// How WebDriver names the element in an answer.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const QUIET: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
];

/// A browser with a profile of its own. Dropping it ends it.
pub struct Browser<'lab> {
    host: &'lab Host,
    session: String,
    _driver: Process,
}

impl<'lab> Browser<'lab> {
    pub fn start(host: &'lab Host) -> Result<Self> {
        let profile = host.dir().join("chromium");
        fs::create_dir_all(&profile)?;
        let profile = profile.to_string_lossy().into_owned();
        let port = format!("--port={PORT}");
        // Both look for folders of their own, which must be the host's.
        let home = [("HOME", profile.as_str()), ("XDG_CONFIG_HOME", &profile), ("XDG_CACHE_HOME", &profile)];
        let driver = host.spawn("chromedriver", &["chromedriver", &port], &home)?;
        until(FOUND_WITHIN, "chromedriver", || Ok(host.listens(Ipv4Addr::LOCALHOST, PORT)?.then_some(())))?;
        let mut browser = Self { host, session: String::new(), _driver: driver };
        let folder = format!("--user-data-dir={profile}/profile");
        let arguments: Vec<&str> = QUIET.into_iter().chain([folder.as_str()]).collect();
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}});
        let answer = browser.call("POST", "/session", &wanted)?;
        browser.session = answer["sessionId"].as_str().context("no session")?.to_owned();
        Ok(browser)
    }

    pub fn open(&self, url: &str) -> Result<()> {
        self.say("POST", "/url", &json!({"url": url})).map(drop)
    }

    /// Waits for an element and presses it.
    pub fn press(&self, selector: &str) -> Result<()> {
        let element = self.find(selector)?;
        self.say("POST", &format!("/element/{element}/click"), &json!({})).map(drop)
    }

    pub fn write(&self, selector: &str, text: &str) -> Result<()> {
        let element = self.find(selector)?;
        self.say("POST", &format!("/element/{element}/value"), &json!({"text": text})).map(drop)
    }

    /// What an element shows.
    pub fn text(&self, selector: &str) -> Result<String> {
        let element = self.find(selector)?;
        let text = self.say("GET", &format!("/element/{element}/text"), &Value::Null)?;
        Ok(text.as_str().context("no text")?.to_owned())
    }

    fn find(&self, selector: &str) -> Result<String> {
        until(FOUND_WITHIN, &format!("{selector} on the page"), || {
            let found = self.say("POST", "/element", &json!({"using": "css selector", "value": selector}))?;
            Ok(found[ELEMENT].as_str().map(str::to_owned))
        })
    }

    fn say(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        self.call(method, &format!("/session/{}{path}", self.session), body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let body = self.host.in_network(|| exchange(&request))??;
        let mut answer: Value = serde_json::from_str(&body).with_context(|| format!("no JSON: {body}"))?;
        let value = answer["value"].take();
        if let Some(error) = value["error"].as_str() {
            bail!("{method} {path}: {error}: {}", value["message"].as_str().unwrap_or_default());
        }
        Ok(value)
    }
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        let _ = self.say("DELETE", "", &Value::Null);
    }
}

/// The body of the answer.
fn exchange(request: &str) -> Result<String> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT))?;
    socket.set_read_timeout(Some(2 * FOUND_WITHIN))?;
    socket.write_all(request.as_bytes())?;
    let mut answer = BufReader::new(socket);
    let mut length = None;
    loop {
        let mut line = String::new();
        answer.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(told) = line.strip_prefix("content-length:") {
            length = Some(told.trim().parse()?);
        }
        if line.is_empty() {
            break;
        }
    }
    // It keeps the connection open, whatever was asked for.
    let mut body = vec![0; length.context("no answer of chromedriver")?];
    answer.read_exact(&mut body)?;
    Ok(String::from_utf8(body)?)
}
