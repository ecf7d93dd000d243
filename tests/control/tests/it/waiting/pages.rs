//! The pages: what they show, who may press the button, and what a browser that was led astray cannot do.

use std::net::SocketAddr;

use api::apikey;
use harness::Identity;
use http::Response;

use super::{Guest, person};
use crate::{admin::Admin, house::House};

/// A browser without script that keeps one cookie.
pub struct Browser {
    door: Admin,
    pub own: String,
    cookie: Option<String>,
}

impl Browser {
    pub fn new(house: &House) -> Self {
        Self::at(house.address)
    }

    pub fn at(server: SocketAddr) -> Self {
        let door = Admin::remote(server, None);
        Self { door, own: format!("http://{server}"), cookie: None }
    }

    /// What the server had it keep: `NAME=TOKEN`.
    pub fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Response<String> {
        let cookie = self.cookie.iter().map(|cookie| ("cookie", cookie.as_str()));
        let all: Vec<_> = headers.iter().copied().chain(cookie).collect();
        self.door.whole(method, path, &all, body).await.unwrap()
    }

    pub async fn open(&self, path: &str) -> Response<String> {
        self.ask("GET", path, &[], String::new()).await
    }

    /// A form of a page of this origin.
    pub async fn send(&self, path: &str, origin: &str, form: &[(&str, &str)]) -> Response<String> {
        let pairs: Vec<_> = form.iter().map(|(n, v)| format!("{n}={}", api::escape(v))).collect();
        let kind = ("content-type", "application/x-www-form-urlencoded");
        self.ask("POST", path, &[kind, ("origin", origin)], pairs.join("&")).await
    }

    async fn sign_in(&mut self, guest: &Guest, key: &str) -> Response<String> {
        self.sign_in_on(&page_of(guest), key).await
    }

    pub async fn sign_in_on(&mut self, back: &str, key: &str) -> Response<String> {
        let answer = self.send("/login", &self.own, &[("key", key), ("back", back)]).await;
        if let Some(cookie) = answer.headers().get("set-cookie") {
            self.cookie = cookie.to_str().unwrap().split(';').next().map(str::to_owned);
        }
        answer
    }

    /// The token of the form on this page.
    pub async fn csrf(&self, path: &str) -> String {
        let page = self.open(path).await.into_body();
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("{page}"));
        rest.split('"').next().unwrap().to_owned()
    }
}

pub fn page_of(guest: &Guest) -> String {
    format!("/register/{}", guest.code())
}

pub async fn api_key(house: &House) -> (String, String) {
    let create = apikey::Create { description: "alice's laptop".into(), ..apikey::Create::default() };
    let made = house.admin.call(&apikey::CREATE, &[], &create).await.unwrap().outcome;
    (made.secret.unwrap().expose().to_owned(), made.apikey.unwrap().id.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_signs_in_lets_a_device_in_without_script() {
    let house = House::open().await;
    let alice = person(&house, "alice").await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    let waiting = guest.wait();
    let (path, mut browser) = (page_of(&guest), Browser::new(&house));
    let page = browser.open(&path).await;
    assert_eq!(page.status(), 200);
    for part in
        ["laptop wants in", "linux", "127.0.0.1", &guest.device.me.machine_key().to_string()[..21], "API key"]
    {
        assert!(page.body().contains(part), "{part}: {}", page.body());
    }
    assert!(!page.body().contains("Let it in</button>"), "nobody is signed in");

    let (key, id) = api_key(&house).await;
    let answer = browser.sign_in(&guest, &key).await;
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()),
        (303, path.as_str())
    );
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"));
    assert!(!cookie.contains(&key[12..]), "the cookie is no API key");
    let csrf = browser.csrf(&path).await;
    let owner = format!("user:{alice}");
    let answer = browser.send(&path, &browser.own, &[("csrf", &csrf), ("owner", &owner)]).await;
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()),
        (303, path.as_str())
    );
    assert!(waiting.await.unwrap().machine_authorized);
    let page = browser.open(&path).await.into_body();
    assert!(page.contains("laptop.mesh.internal") && page.contains("alice"), "{page}");
    let events =
        house.admin.raw("GET", "/api/mesh/v1/tailnet/default/event?kind=node_registered", String::new());
    let (_, events) = events.await.unwrap();
    assert!(events.contains(&format!("\"actor\":\"apikey:{id}\"")), "{events}");

    let answer = browser.send("/login/end", &browser.own, &[("csrf", &csrf), ("back", &path)]).await;
    assert_eq!(answer.status(), 303);
    assert!(
        !browser.open(&path).await.body().contains("csrf"),
        "the session is over, whatever the browser keeps"
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_repeats_nothing_that_could_harm_its_reader() {
    let house = House::open().await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "<script>alert(1)</script>'x").await;
    let browser = Browser::new(&house);
    let path = page_of(&guest);
    for (path, status) in [(path.as_str(), 200), ("/register/%3Cscript%3E", 404)] {
        let forged = [("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example")];
        let page = browser.ask("GET", path, &forged, String::new()).await;
        assert_eq!(page.status(), status);
        assert!(!page.body().contains("<script") && !page.body().contains("evil.example"), "{}", page.body());
        assert!(!page.body().contains("mesh.test"), "what the request calls this server stands nowhere");
        let header = |name: &str| page.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"));
        assert_eq!((header("cache-control"), header("x-frame-options")), ("no-store".into(), "DENY".into()));
    }
    assert!(browser.open(&path).await.body().contains("&lt;script&gt;"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_site_and_no_other_session_presses_the_button() {
    let house = House::open().await;
    let alice = person(&house, "alice").await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    let path = page_of(&guest);
    let ((first, _), (second, second_id)) = (api_key(&house).await, api_key(&house).await);
    let (mut browser, mut other) = (Browser::new(&house), Browser::new(&house));
    browser.sign_in(&guest, &first).await;
    other.sign_in(&guest, &second).await;
    let (csrf, others) = (browser.csrf(&path).await, other.csrf(&path).await);
    let owner = format!("user:{alice}");
    let good = [("csrf", csrf.as_str()), ("owner", owner.as_str())];

    let own = browser.own.clone();
    let near = [
        format!("{own}.evil.example"),
        own.replace("http:", "https:"),
        format!("{own}1"),
        "http://mesh.test".into(),
    ];
    for origin in near.iter().map(String::as_str).chain(["null", "http://evil.example", ""]) {
        let answer = browser.send(&path, origin, &good).await;
        assert_eq!(answer.status(), 403, "{origin}");
    }
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let body = format!("csrf={csrf}&owner={}", api::escape(&owner));
    let silent = browser.ask("POST", &path, &[kind], body.clone()).await;
    assert_eq!(silent.status(), 403, "who does not say where the form comes from");
    let site = [kind, ("origin", own.as_str()), ("sec-fetch-site", "cross-site")];
    assert_eq!(browser.ask("POST", &path, &site, body.clone()).await.status(), 403);
    for csrf in [others.as_str(), "", "x", &csrf[..42]] {
        let answer = browser.send(&path, &own, &[("csrf", csrf), ("owner", &owner)]).await;
        assert_eq!(answer.status(), 403, "{csrf}");
    }
    let nobody = Browser { cookie: None, ..Browser::new(&house) };
    assert_eq!(nobody.send(&path, &own, &good).await.status(), 401);
    let wrong = Browser { cookie: Some(format!("meshctl={}", "A".repeat(43))), ..Browser::new(&house) };
    assert_eq!(wrong.send(&path, &own, &good).await.status(), 401);
    for owner in ["", "user:", "user:99", "role:", "role:nobody", "same", "x", "user:1;drop"] {
        let answer = browser.send(&path, &own, &[("csrf", &csrf), ("owner", owner)]).await;
        assert_eq!(answer.status(), 422, "{owner}");
    }
    house.admin.call(&apikey::REVOKE, &[&second_id], &()).await.unwrap();
    let late = other.send(&path, &own, &[("csrf", &others), ("owner", &owner)]).await;
    assert_eq!(late.status(), 401, "a revoked key ends its sessions");
    assert!(house.world().nodes.is_empty());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_alone_never_lets_a_device_in() {
    let house = House::open().await;
    let alice = person(&house, "alice").await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    let mut browser = Browser::new(&house);
    let (key, _) = api_key(&house).await;
    browser.sign_in(&guest, &key).await;
    let path = page_of(&guest);
    let csrf = browser.csrf(&path).await;
    let query = format!("{path}?csrf={csrf}&owner=user:{alice}&approve=true");
    let own = browser.own.clone();
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let body = if method == "GET" || method == "HEAD" {
            String::new()
        } else {
            format!("csrf={csrf}&owner=user:{alice}")
        };
        let answer = browser.ask(method, &query, &[kind, ("origin", &own)], body).await;
        assert!(
            answer.status().as_u16() == 200 || answer.status().as_u16() == 405,
            "{method}: {}",
            answer.status()
        );
    }
    let answer = browser.send(&query, &own, &[]).await;
    assert!(answer.status().is_client_error(), "the query is no form: {}", answer.status());
    for path in ["/login", "/login/end"] {
        assert_eq!(browser.open(path).await.status(), 405);
    }
    assert!(house.world().nodes.is_empty());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_only_look_lets_nobody_in() {
    let house = House::open().await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    for (scopes, status) in [("node:read", 401), ("key:write", 401), ("node:write", 303)] {
        let scopes = serde_json::from_value(serde_json::json!([scopes])).unwrap();
        let create = apikey::Create { scopes: Some(scopes), ..apikey::Create::default() };
        let made = house.admin.call(&apikey::CREATE, &[], &create).await.unwrap().outcome;
        let answer = Browser::new(&house).sign_in(&guest, made.secret.unwrap().expose()).await;
        assert_eq!(answer.status(), status);
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_and_keys_cannot_be_guessed_without_end() {
    let house = House::open().await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    let mut browser = Browser::new(&house);
    let mut refused = 0;
    for n in 0..40 {
        let answer = browser.sign_in(&guest, &format!("mk-api-{n}-{}", "A".repeat(43))).await;
        assert!(answer.headers().get("set-cookie").is_none());
        refused += usize::from(answer.status() == 429);
    }
    assert!(refused >= 25, "{refused} of 40 guesses were turned away");
    let long = browser
        .send("/login", &browser.own, &[("key", &"x".repeat(20_000)), ("back", &page_of(&guest))])
        .await;
    assert_eq!(long.status(), 413);
    house.close().await;
}
