//! Clients that ask for much and take little: nobody else notices.

use std::time::Duration;

use futures_util::FutureExt;
use http::Method;
use tokio::time::{sleep, timeout};

use crate::{
    device::online,
    house::{House, PATIENCE},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_does_not_read_holds_up_nobody() {
    let house = House::open().await;
    let [sleeper, awake, busy] =
        [house.member("sleeper").await, house.member("awake").await, house.member("busy").await];
    let id = busy.myself().await.id;
    let (mut asleep, mut listener) = (sleeper.listen().await, awake.listen().await);
    for n in 1..=300_u32 {
        let endpoints: Vec<_> = (0..60).map(|i| format!("192.0.2.{i}:{}", 10_000 + n)).collect();
        let endpoints: Vec<_> = endpoints.iter().map(String::as_str).collect();
        timeout(PATIENCE, busy.report(&endpoints, n)).await.expect("the writer is held up");
    }
    for late in [&mut listener, &mut asleep] {
        late.until("the last report", |m| m.peer(id).is_some_and(|p| p.home_derp == 300)).await;
    }
    listener.agrees_with(&awake).await;
    asleep.agrees_with(&sleeper).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_that_are_opened_and_dropped_at_once_leave_the_right_state() {
    let house = House::open().await;
    let [flapper, witness] = [house.member("flapper").await, house.member("witness").await];
    let id = flapper.myself().await.id;
    let mut theirs = witness.listen().await;
    for n in 0..90 {
        let request = flapper.request();
        let mut poll = Box::pin(flapper.client.stream(&request));
        match n % 3 {
            0 => drop(poll.as_mut().now_or_never()),
            1 => drop(timeout(Duration::from_millis(1), poll.as_mut()).await),
            _ => drop(timeout(PATIENCE, poll.as_mut()).await.unwrap().unwrap()),
        }
    }
    let mut last = flapper.listen().await;
    theirs.until("the flapper online", |m| online(m, id)).await;
    theirs.holds_for(Duration::from_secs(2), |m| online(m, id)).await;
    last.agrees_with(&flapper).await;
    drop(last);
    theirs.until("the flapper offline", |m| !online(m, id)).await;
    theirs.agrees_with(&witness).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_reset_as_fast_as_they_come_stop_nobody() {
    let house = House::open().await;
    let [flooder, witness] = [house.member("flooder").await, house.member("witness").await];
    let mut theirs = witness.listen().await;
    for _ in 0..5000 {
        let body = b"{\"Version\":113}".to_vec();
        drop(flooder.client.call(Method::POST, "/machine/map", body).now_or_never());
        if flooder.client.is_closed() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let newcomer = timeout(PATIENCE, house.member("newcomer")).await.expect("nobody gets in");
    let id = newcomer.myself().await.id;
    theirs.until("the newcomer", |m| m.peer(id).is_some()).await;
    assert!(flooder.again(&house.at).await.map().await.node.is_some());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_that_are_dropped_half_way_do_not_hang_the_rest() {
    let house = House::open().await;
    let [mut sender, witness] = [house.member("sender").await, house.member("witness").await];
    let id = sender.myself().await.id;
    let mut theirs = witness.listen().await;
    for n in 0..200 {
        // A server that had no time to accept twenty of them may end the channel.
        if sender.client.is_closed() {
            sender = sender.again(&house.at).await;
        }
        let report = sender.me.report("sender", &[&format!("192.0.2.1:{}", 1000 + n)], 900);
        drop(timeout(Duration::from_micros(n * 20), sender.client.lite_update(&report)).await);
    }
    // One that was dropped may be taken up still, after a later one: the last word is said until it stays.
    let last = sender.me.report("sender", &["192.0.2.9:9"], 901);
    let stays = || house.world().nodes.get(id).unwrap().live.endpoints == ["192.0.2.9:9".parse().unwrap()];
    for _ in 0..20 {
        if sender.client.is_closed() {
            sender = sender.again(&house.at).await;
        }
        let said = timeout(PATIENCE, sender.client.lite_update(&last)).await.expect("it hangs");
        assert!(said.is_ok() || sender.client.is_closed());
        sleep(Duration::from_millis(500)).await;
        if stays() {
            break;
        }
    }
    theirs.until("the last word", |m| m.peer(id).is_some_and(|p| p.home_derp == 901)).await;
    assert!(stays());
    theirs.agrees_with(&witness).await;
    house.close().await;
}
