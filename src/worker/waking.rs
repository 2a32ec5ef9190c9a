//! Wakes whoever waits for news of workers: a window in which nothing moves sleeps for seconds at a time.

use std::sync::OnceLock;

type Waker = Box<dyn Fn() + Send + Sync>;

static WAKER: OnceLock<Waker> = OnceLock::new();

/// From now on this is called where a worker has news that nobody waits for; only the first call counts.
pub fn on_news(waker: Waker) {
    if WAKER.set(waker).is_err() {
        tracing::debug!("somebody is woken already");
    }
}

/// Says that there is news.
pub(super) fn wake() {
    if let Some(waker) = WAKER.get() {
        waker();
    }
}
