//! A line for everybody who holds a stream.

use api::server::{NOTICE, SET_NOTICE, SetNotice};

use harness::Model;

use crate::house::House;

/// The Rust client knows no health and no DNS.
fn shows(model: &Model, lines: &[&str]) -> bool {
    model.dns().is_none() || model.view().health == lines
}

fn say(text: &str) -> SetNotice {
    SetNotice { text: Some(text.to_owned()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_connected_is_told_and_whoever_comes_later_until_it_is_taken_back() {
    let house = House::open().await;
    let [here, later] = [house.member("here").await, house.member("later").await];
    let mut ears = here.listen().await;
    ears.until("a first map", |m| shows(m, &[])).await;
    let told = house.admin.call(&SET_NOTICE, &[], &say("we move")).await.unwrap();
    assert_eq!(
        (&told.outcome.told[..], &told.outcome.not_told[..]),
        (&["here".to_owned()][..], &["later".to_owned()][..])
    );
    ears.until("the notice", |m| shows(m, &["we move"])).await;
    assert!(!house.admin.call(&SET_NOTICE, &[], &say("we move")).await.unwrap().changed);

    let mut others = later.listen().await;
    others.until("the notice of before", |m| shows(m, &["we move"])).await;
    let now = house.admin.call(&NOTICE, &[], &()).await.unwrap();
    assert_eq!((now.told.len(), now.not_told.len()), (2, 0));
    house.admin.call(&SET_NOTICE, &[], &SetNotice::default()).await.unwrap();
    ears.until("nothing any more", |m| shows(m, &[])).await;
    let long = house.admin.call(&SET_NOTICE, &[], &say(&"x".repeat(501))).await.unwrap_err();
    assert_eq!(long.status, 422);
    house.close().await;
}
