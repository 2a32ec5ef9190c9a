//! Who thinks next: one at a time, so that the time that each one takes is its own.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::{Cancel, ModelError};

/// How often somebody who waits looks whether the race was called off.
const LOOK_UP: Duration = Duration::from_millis(25);

/// The turns of a race. Whoever has spent least is next, also where it is not waiting yet: a quick thinker
/// that is stepping its world comes back before a slow one begins a decision that takes seconds.
#[derive(Default)]
pub struct Turns {
    book: Mutex<Book>,
    changed: Condvar,
}

#[derive(Default)]
struct Book {
    /// What each lane that takes part has spent so far; `None` for one that takes no part.
    spent: Vec<Option<f64>>,
    is_taken: bool,
}

impl Book {
    /// Whether nobody who takes part has spent less; among equals the first is next.
    fn is_next(&self, lane: usize) -> bool {
        let rank = |i: usize| self.spent.get(i).copied().flatten().map(|s| (s, i));
        let Some(own) = rank(lane) else { return true };
        let others = (0..self.spent.len()).filter_map(rank);
        others.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))) == Some(own)
    }
}

/// A lane's part in the turns, which ends when it is dropped.
pub struct Seat<'a> {
    turns: &'a Turns,
    lane: usize,
}

/// The turn, which ends when it is dropped.
pub struct Turn<'a>(&'a Turns);

impl Turns {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a lane take part, with nothing spent.
    pub fn sit(&self, lane: usize) -> Seat<'_> {
        let mut book = self.book();
        if book.spent.len() <= lane {
            book.spent.resize(lane + 1, None);
        }
        book.spent[lane] = Some(0.0);
        Seat { turns: self, lane }
    }
}

impl<'a> Seat<'a> {
    /// Waits for the turn; `spent` is what this lane has spent so far.
    ///
    /// # Errors
    /// [`ModelError::Cancelled`] where the race was called off meanwhile.
    pub fn wait(&self, spent: f64, cancel: &Cancel) -> Result<Turn<'a>, ModelError> {
        let mut book = self.turns.book();
        book.spent[self.lane] = Some(spent);
        self.turns.changed.notify_all();
        while book.is_taken || !book.is_next(self.lane) {
            cancel.check()?;
            let waited = self.turns.changed.wait_timeout(book, LOOK_UP);
            book = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        book.is_taken = true;
        Ok(Turn(self.turns))
    }

    /// Notes what this lane has spent, which may make it somebody else's turn.
    pub fn note(&self, spent: f64) {
        self.turns.book().spent[self.lane] = Some(spent);
        self.turns.changed.notify_all();
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.turns.book().spent[self.lane] = None;
        self.turns.changed.notify_all();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.book().is_taken = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn whoever_has_spent_least_thinks_next_and_nobody_beside_another() {
        let turns = Arc::new(Turns::default());
        let order = Arc::new(Mutex::new(Vec::new()));
        // A decision of the first costs ten of the second.
        let costs = [10.0, 1.0];
        let gate = Arc::new(std::sync::Barrier::new(2));
        let lanes = costs.iter().enumerate().map(|(lane, &cost)| {
            let (turns, order, gate) = (turns.clone(), order.clone(), gate.clone());
            std::thread::spawn(move || {
                let seat = turns.sit(lane);
                gate.wait();
                for decision in 0..(20.0 / cost) as usize {
                    let spent = decision as f64 * cost;
                    let turn = seat.wait(spent, &Cancel::new()).unwrap();
                    assert!(turns.book().is_taken);
                    order.lock().unwrap().push(lane);
                    drop(turn);
                }
            })
        });
        for lane in lanes.collect::<Vec<_>>() {
            lane.join().unwrap();
        }
        let order = order.lock().unwrap();
        // One slow decision, then the quick one until it has spent as much, and so on.
        assert_eq!(order[0], 0);
        assert_eq!(order[1..11], [1; 10]);
        assert_eq!(order.iter().filter(|lane| **lane == 1).count(), 20);
    }

    #[test]
    fn whoever_waits_leaves_when_the_race_is_called_off() {
        let turns = Turns::default();
        let (first, second) = (turns.sit(0), turns.sit(1));
        let _turn = first.wait(0.0, &Cancel::new()).unwrap();
        let cancel = Cancel::new();
        cancel.cancel();
        assert!(matches!(
            second.wait(0.0, &cancel),
            Err(ModelError::Cancelled)
        ));
    }
}
