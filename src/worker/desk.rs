//! The protocol of a worker: orders with tickets in, reports out, the newest order wins.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::model::Cancel;

/// What a worker reports.
#[derive(Debug)]
pub struct Report<P> {
    /// The order it answers.
    pub ticket: u64,
    /// The result, or why there is none, in words for the screen.
    pub result: Result<P, String>,
    /// Time that the worker itself took.
    pub took: Duration,
}

struct Order<Q> {
    ticket: u64,
    cancel: Cancel,
    request: Q,
}

/// One worker thread, seen from the one who asks.
pub struct Desk<Q, P> {
    orders: Sender<Order<Q>>,
    waiting: Receiver<Order<Q>>,
    reports: Receiver<Report<P>>,
    ticket: u64,
    current: Option<Cancel>,
    since: Option<Instant>,
}

impl<Q: Send + 'static, P: Send + 'static> Desk<Q, P> {
    /// Starts a worker, which stands back for the window. `make` builds its function, and builds it anew
    /// after a panic.
    ///
    /// # Errors
    /// The system's error if no thread can be started.
    pub fn open<F, M>(name: &str, mut make: M) -> std::io::Result<Self>
    where
        M: FnMut() -> F + Send + 'static,
        F: FnMut(Q, &Cancel) -> Result<P, String>,
    {
        let (orders, waiting) = bounded::<Order<Q>>(1);
        let (outbox, reports) = bounded::<Report<P>>(4);
        let inbox = waiting.clone();
        std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                super::stand_back();
                let mut work = make();
                while let Ok(order) = inbox.recv() {
                    if order.cancel.is_cancelled() {
                        continue;
                    }
                    let start = Instant::now();
                    let (request, cancel) = (order.request, &order.cancel);
                    let result = catch_unwind(AssertUnwindSafe(|| work(request, cancel)))
                        .unwrap_or_else(|panic| {
                            work = make();
                            Err(format!(
                                "the worker failed and was restarted: {}",
                                panic_message(&*panic)
                            ))
                        });
                    let report = Report {
                        ticket: order.ticket,
                        result,
                        took: start.elapsed(),
                    };
                    if outbox.send(report).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            orders,
            waiting,
            reports,
            ticket: 0,
            current: None,
            since: None,
        })
    }

    /// Gives an order; it cancels and replaces the one before. Returns its ticket.
    pub fn ask(&mut self, request: Q) -> u64 {
        self.cancel();
        self.ticket += 1;
        let cancel = Cancel::new();
        let mut order = Order {
            ticket: self.ticket,
            cancel: cancel.clone(),
            request,
        };
        // At most one order waits: an older one in the way is cancelled already, so it may go.
        for _ in 0..4 {
            match self.orders.try_send(order) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) => {
                    let _replaced = self.waiting.try_recv();
                    order = back;
                }
                Err(TrySendError::Disconnected(_)) => break,
            }
        }
        self.current = Some(cancel);
        self.since = Some(Instant::now());
        self.ticket
    }

    /// The report on the newest order, once it is there; never waits.
    pub fn poll(&mut self) -> Option<Report<P>> {
        while let Ok(report) = self.reports.try_recv() {
            if report.ticket == self.ticket && self.current.is_some() {
                self.current = None;
                self.since = None;
                return Some(report);
            }
        }
        None
    }

    /// Cancels what is under way; its report will not come.
    pub fn cancel(&mut self) {
        if let Some(cancel) = self.current.take() {
            cancel.cancel();
        }
        self.since = None;
    }

    /// Whether an order is under way.
    pub fn is_busy(&self) -> bool {
        self.current.is_some()
    }

    /// How long the order under way has been waiting for its report.
    pub fn busy_for(&self) -> Option<Duration> {
        self.since.map(|s| s.elapsed())
    }
}

impl<Q, P> Drop for Desk<Q, P> {
    fn drop(&mut self) {
        if let Some(cancel) = self.current.take() {
            cancel.cancel();
        }
    }
}

/// What a panic said.
pub(super) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_string())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait<Q: Send + 'static, P: Send + 'static>(desk: &mut Desk<Q, P>) -> Report<P> {
        for _ in 0..2000 {
            if let Some(report) = desk.poll() {
                return report;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("no report came");
    }

    #[test]
    fn a_newer_order_cancels_the_older_one() {
        let mut desk: Desk<u32, u32> = Desk::open("test", || {
            |n, cancel: &Cancel| {
                while n == 1 && !cancel.is_cancelled() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ok(n)
            }
        })
        .unwrap();
        desk.ask(1);
        std::thread::sleep(Duration::from_millis(10));
        desk.ask(2);
        desk.ask(3);
        let report = wait(&mut desk);
        assert_eq!((report.ticket, report.result), (3, Ok(3)));
        assert!(!desk.is_busy());
    }

    #[test]
    fn a_panic_becomes_an_error_and_the_worker_goes_on() {
        let mut desk: Desk<bool, u32> = Desk::open("test", || {
            |fail: bool, _: &Cancel| {
                assert!(!fail, "weights on fire");
                Ok(7)
            }
        })
        .unwrap();
        desk.ask(true);
        let error = wait(&mut desk).result.unwrap_err();
        assert!(error.contains("weights on fire"), "{error}");
        desk.ask(false);
        assert_eq!(wait(&mut desk).result, Ok(7));
    }
}
