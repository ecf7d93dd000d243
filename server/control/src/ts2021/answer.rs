//! Answers on a channel: how many are open, and whether the client takes them.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

/// What is handed out at once, so that taking some of a long answer is seen as taking.
const SLICE: usize = 64 << 10;

/// The requests that are being answered on one channel.
#[derive(Debug, Default)]
pub struct Answers {
    next: AtomicU64,
    /// Since when the client owes to take something.
    open: Mutex<BTreeMap<u64, Option<Instant>>>,
}

impl Answers {
    /// One more request; it is open until its answer's body is gone.
    pub fn begin(self: &Arc<Self>) -> Open {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(id, None);
        Open { id, answers: self.clone() }
    }

    /// Whether nothing is open.
    pub fn is_quiet(&self) -> bool {
        self.lock().is_empty()
    }

    /// Whether the client has not taken what it was given for so long.
    pub fn is_stalled(&self, long: Duration) -> bool {
        self.lock().values().flatten().any(|since| since.elapsed() >= long)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Option<Instant>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request until its answer's body is gone.
#[derive(Debug)]
pub struct Open {
    id: u64,
    answers: Arc<Answers>,
}

impl Open {
    /// The answer. From here on the client owes to take it: with no window for it, it is never even asked for bytes.
    pub fn hold(self, body: Body) -> Held {
        self.owes(Some(Instant::now()));
        Held { body, rest: Bytes::new(), open: self }
    }

    fn owes(&self, since: Option<Instant>) {
        self.answers.lock().insert(self.id, since);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.answers.lock().remove(&self.id);
    }
}

/// An answer's body. It is asked for more when the client has taken what came before.
#[derive(Debug)]
pub struct Held {
    body: Body,
    rest: Bytes,
    open: Open,
}

impl Held {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(e)) => return Poll::Ready(Some(Err(e))),
                None => return Poll::Ready(None),
            }
        }
        let slice = self.rest.split_to(self.rest.len().min(SLICE));
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = self.poll(cx);
        self.open.owes(polled.is_ready().then(Instant::now));
        polled
    }
    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut whole = SizeHint::new();
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper.saturating_add(rest));
        }
        whole.set_lower(hint.lower().saturating_add(rest));
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use proptest::prelude::*;

    const LONG: Duration = Duration::from_secs(1);

    async fn half() {
        tokio::time::sleep(LONG / 2).await;
    }

    #[tokio::test]
    async fn an_answer_stalls_when_nobody_asks_for_more() {
        let answers = Arc::new(Answers::default());
        let open = answers.begin();
        half().await;
        assert!(
            !answers.is_quiet() && !answers.is_stalled(Duration::ZERO),
            "the server's own time does not count"
        );
        let mut held = open.hold(Body::from(vec![7; SLICE + 1]));
        half().await;
        half().await;
        assert!(answers.is_stalled(LONG), "never asked at all");
        assert_eq!(held.frame().await.unwrap().unwrap().into_data().unwrap().len(), SLICE);
        assert!(!answers.is_stalled(LONG));
        half().await;
        half().await;
        assert!(answers.is_stalled(LONG), "given something and not asked again");
        assert_eq!(held.frame().await.unwrap().unwrap().into_data().unwrap().len(), 1);
        assert!(!answers.is_stalled(LONG) && held.is_end_stream());
        drop(held);
        assert!(answers.is_quiet());
    }

    #[tokio::test]
    async fn an_answer_that_has_nothing_to_say_does_not_stall() {
        let answers = Arc::new(Answers::default());
        let silent = futures_util::stream::pending::<Result<Bytes, std::convert::Infallible>>();
        let mut held = answers.begin().hold(Body::from_stream(silent));
        assert!(tokio::time::timeout(LONG, held.frame()).await.is_err());
        assert!(!answers.is_stalled(Duration::ZERO));
    }

    proptest! {
        #[test]
        fn slices_are_the_whole(chunks in prop::collection::vec(0..200_000_usize, 0..5)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let chunks: Vec<Bytes> = chunks.iter().map(|n| (0..*n).map(|i| i as u8).collect()).collect();
            let stream = futures_util::stream::iter(chunks.clone().into_iter().map(Ok::<_, std::convert::Infallible>));
            let held = Arc::new(Answers::default()).begin().hold(Body::from_stream(stream));
            let got = runtime.block_on(held.collect()).unwrap().to_bytes();
            prop_assert!(got == chunks.concat());
        }
    }
}
