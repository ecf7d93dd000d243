//! Logins by SSH that a rule wants confirmed: the node that is logged in to asks, a person answers on a page.

use api::server;
use http::Method;
use http_body_util::BodyExt;
use wire::SshAction;

use super::pages::{Browser, api_key};
use crate::{
    device::Device,
    house::{House, PATIENCE, set_policy},
};

const POLICY: &str = r#"{"tagOwners": {"tag:member": [], "tag:island": []},
    "acls": [{"action": "accept", "src": ["tag:member"], "dst": ["tag:island:22"]}],
    "ssh": [{"action": "check", "src": ["tag:member"], "dst": ["tag:island"], "users": ["root"],
        "checkPeriod": "always"}]}"#;

pub struct Scene {
    pub house: House,
    laptop: Device,
    pub island: Device,
    ask: String,
}

impl Scene {
    pub async fn set() -> Self {
        let house = House::open().await;
        set_policy(&house.admin, POLICY).await;
        let (laptop, island) = (house.member("laptop").await, house.island("box").await);
        let (from, to) = (laptop.myself().await.id, island.myself().await.id);
        let ask = format!("/machine/ssh/action/{from}/to/{to}?local_user=root");
        Self { house, laptop, island, ask }
    }

    /// A login begins: the page that is shown, and where its answer is waited for.
    pub async fn begin(&self) -> (String, String) {
        let action = answer(&self.island, &self.ask).await;
        assert!(!action.accept && !action.reject, "{action:?}");
        let page = action.message.split_whitespace().last().unwrap();
        let next = action.hold_and_delegate.strip_prefix("https://unused").unwrap().to_owned();
        (page[page.find("/ssh/").unwrap()..].to_owned(), next)
    }

    async fn signed_in(&self, page: &str) -> Browser {
        let mut browser = Browser::new(&self.house);
        let (key, _) = api_key(&self.house).await;
        assert_eq!(browser.sign_in_on(page, &key).await.status(), 303);
        browser
    }
}

async fn status_of(device: &Device, path: &str) -> (u16, Vec<u8>) {
    let answer = device.client.call(Method::GET, path, Vec::new()).await.unwrap();
    let (head, body) = answer.into_parts();
    (head.status.as_u16(), body.collect().await.unwrap().to_bytes().to_vec())
}

pub async fn answer(device: &Device, path: &str) -> SshAction {
    let (status, body) = tokio::time::timeout(PATIENCE, status_of(device, path)).await.expect("no answer");
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_goes_on_when_a_person_says_so_and_only_once() {
    let scene = Scene::set().await;
    for (button, through) in [("yes", true), ("no", false)] {
        let (page, next) = scene.begin().await;
        let browser = scene.signed_in(&page).await;
        let shown = browser.open(&page).await;
        assert!(
            ["laptop.mesh.internal", "box.mesh.internal", "root"]
                .iter()
                .all(|part| shown.body().contains(part))
        );
        let waiting = tokio::spawn({
            let (island, next) = (scene.island.clone(), next.clone());
            async move { answer(&island, &next).await }
        });
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert!(!waiting.is_finished(), "to look at the page answers nothing");
        let csrf = browser.csrf(&page).await;
        let before = scene.house.admin.call(&server::STATUS, &[], &()).await.unwrap().counts.events;
        let done = browser.send(&page, &browser.own, &[("csrf", &csrf), ("answer", button)]).await;
        assert_eq!(done.status(), 200, "{}", done.body());
        let after = scene.house.admin.call(&server::STATUS, &[], &()).await.unwrap().counts.events;
        assert_eq!(after, before + 1, "the answer is in the log");
        let action = waiting.await.unwrap();
        assert_eq!((action.accept, action.reject), (through, !through));
        assert!(answer(&scene.island, &next).await.reject, "an answer is for one login");
        let again = browser.send(&page, &browser.own, &[("csrf", &csrf), ("answer", "yes")]).await;
        assert_eq!(again.status(), 404);
    }
    scene.house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_asks_answers_or_profits() {
    let scene = Scene::set().await;
    let (page, next) = scene.begin().await;
    assert_eq!(
        status_of(&scene.laptop, &scene.ask).await.0,
        404,
        "it is not the laptop that is logged in to"
    );
    assert_eq!(status_of(&scene.laptop, &next).await.0, 404);
    let stranger = scene.house.island("stranger").await;
    let (from, to) = (scene.laptop.myself().await.id, stranger.myself().await.id);
    let code = next.rsplit('=').next().unwrap();
    let theirs = format!("/machine/ssh/action/{from}/to/{to}?wait={code}");
    assert!(answer(&stranger, &theirs).await.reject, "a code of another node");
    let nonsense = next.replace(code, "x");
    assert_eq!(status_of(&scene.island, &nonsense).await.0, 404);

    let browser = Browser::new(&scene.house);
    let form = [("csrf", "x"), ("answer", "yes")];
    assert_eq!(browser.send(&page, &browser.own, &form).await.status(), 401);
    let browser = scene.signed_in(&page).await;
    let csrf = browser.csrf(&page).await;
    let good = [("csrf", csrf.as_str()), ("answer", "yes")];
    assert_eq!(browser.send(&page, "http://evil.example", &good).await.status(), 403);
    assert_eq!(browser.send(&page, &browser.own, &form).await.status(), 403);
    assert_eq!(browser.open(&format!("{page}?answer=yes&csrf={csrf}")).await.status(), 200);

    let accepting =
        POLICY.replace(r#""check""#, r#""accept""#).replace(",\n        \"checkPeriod\": \"always\"", "");
    set_policy(&scene.house.admin, &accepting).await;
    assert_eq!(
        browser.send(&page, &browser.own, &good).await.status(),
        422,
        "no rule wants it confirmed any more"
    );
    let action = answer(&scene.island, &scene.ask).await;
    assert!(action.reject, "{action:?}");
    scene.house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_goes_while_a_login_waits_is_gone() {
    let scene = Scene::set().await;
    let (page, next) = scene.begin().await;
    let browser = scene.signed_in(&page).await;
    let csrf = browser.csrf(&page).await;
    let done = browser.send(&page, &browser.own, &[("csrf", &csrf), ("answer", "yes")]).await;
    assert_eq!(done.status(), 200);
    set_policy(&scene.house.admin, r#"{"tagOwners": {"tag:member": [], "tag:island": []}}"#).await;
    assert!(answer(&scene.island, &next).await.reject);
    scene.house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_login_is_good_for_the_time_that_the_rule_says_and_for_nothing_else() {
    let scene = Scene::set().await;
    let press = async |button: &str| {
        let (page, next) = scene.begin().await;
        let browser = scene.signed_in(&page).await;
        let csrf = browser.csrf(&page).await;
        browser.send(&page, &browser.own, &[("csrf", &csrf), ("answer", button)]).await;
        answer(&scene.island, &next).await
    };
    let during = |period: &str| POLICY.replace("always", period);
    set_policy(&scene.house.admin, &during("1h")).await;
    assert!(press("no").await.reject);
    assert!(press("yes").await.accept, "a refusal is not remembered, and holds no further");
    assert!(answer(&scene.island, &scene.ask).await.accept, "it is confirmed already");

    let asked_again = async |ask: &str| {
        let action = answer(&scene.island, ask).await;
        !action.accept && !action.reject
    };
    assert!(asked_again(&scene.ask.replace("=root", "=admin")).await, "as another user");
    let other = scene.house.member("other").await.myself().await.id;
    let laptop = scene.laptop.myself().await.id;
    assert!(asked_again(&scene.ask.replace(&format!("/{laptop}/"), &format!("/{other}/"))).await);
    set_policy(&scene.house.admin, &during("1s")).await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert!(asked_again(&scene.ask).await, "the time is over");
    set_policy(&scene.house.admin, &during("12h")).await;
    assert!(answer(&scene.island, &scene.ask).await.accept);
    set_policy(&scene.house.admin, &during("always")).await;
    assert!(asked_again(&scene.ask).await, "each by itself");

    set_policy(&scene.house.admin, &during("12h")).await;
    let key = scene.house.admin.key(&crate::admin::reusable()).await;
    let mut request = scene.laptop.me.rotated().unwrap().register_request(Some(&key), "laptop");
    request.old_node_key = Some(scene.laptop.me.node);
    assert!(scene.laptop.client.register(&request).await.unwrap().machine_authorized);
    assert!(asked_again(&scene.ask).await, "with another key of the same node");
    scene.house.close().await;
}
