//! Telling what was changed in a table.

use std::collections::{HashSet, VecDeque};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use serde::de::DeserializeOwned;

use super::typed::Open;
use crate::Error;
use crate::sqlite::{Value, decode_key};

/// A row that was changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Change<T> {
    /// Its key's values, in the order of the key.
    pub key: Vec<Value>,
    /// As it is now; none where it is not there any more.
    pub row: Option<T>,
}

/// What is changed in a table, as it happens; [`Records::watch`](super::Records::watch) makes it.
///
/// A row is read when its change is taken, so that what was changed several times comes once, as it is then. It is read from
/// the database within the poll, which waits for a [transaction](super::Records::transaction) that is under way. What was not
/// taken costs its key and nothing else. A row that is not of the type `T` comes as [`Error::UnfitRow`]; where the database
/// cannot be read the error comes first and the change again.
pub struct Watch<T> {
    records: Weak<Open>,
    table: String,
    untaken: Arc<Untaken>,
    row: PhantomData<fn() -> T>,
}

impl<T> Watch<T> {
    pub(super) fn new(records: &Arc<Open>, table: &str) -> Watch<T> {
        let (table, untaken) = (table.to_string(), records.watchers.add(table));
        Watch { records: Arc::downgrade(records), table, untaken, row: PhantomData }
    }
}

impl<T: DeserializeOwned> Stream for Watch<T> {
    type Item = Result<Change<T>, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let bytes = match self.untaken.poll(context) {
                Poll::Ready(Some(bytes)) => bytes,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            };
            let Some(records) = self.records.upgrade() else { return Poll::Ready(None) };
            // Whatever tells of changes names rows by their keys.
            let Ok(key) = decode_key(&bytes) else { continue };
            let row = records.row(&self.table, &key);
            if row.as_ref().is_err_and(|error| !matches!(error, Error::UnfitRow { .. })) {
                self.untaken.put_back(bytes);
            }
            return Poll::Ready(Some(row.map(|row| Change { key, row })));
        }
    }
}

/// All who watch a database.
#[derive(Default)]
pub(super) struct Watchers(Mutex<Vec<(String, Weak<Untaken>)>>);

impl Watchers {
    fn add(&self, table: &str) -> Arc<Untaken> {
        let untaken = Arc::new(Untaken::default());
        self.lock().push((table.to_string(), Arc::downgrade(&untaken)));
        untaken
    }

    /// Tells who watches this table that a row of it was changed.
    pub(super) fn tell(&self, table: &str, key: &[u8]) {
        self.lock().retain(|(watched, untaken)| {
            let Some(untaken) = untaken.upgrade() else { return false };
            if watched == table {
                untaken.add(key);
            }
            true
        });
    }

    /// Ends all streams.
    pub(super) fn end(&self) {
        for (_, untaken) in self.lock().drain(..) {
            if let Some(untaken) = untaken.upgrade() {
                untaken.end();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Weak<Untaken>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The keys of rows whose changes a watcher has not taken, each once, in the order of their first change.
#[derive(Default)]
struct Untaken(Mutex<Keys>);

#[derive(Default)]
struct Keys {
    order: VecDeque<Vec<u8>>,
    known: HashSet<Vec<u8>>,
    has_ended: bool,
    waker: Option<Waker>,
}

impl Untaken {
    fn add(&self, key: &[u8]) {
        let mut keys = self.lock();
        if keys.known.insert(key.to_vec()) {
            keys.order.push_back(key.to_vec());
        }
        wake(keys);
    }

    fn put_back(&self, key: Vec<u8>) {
        let mut keys = self.lock();
        if keys.known.insert(key.clone()) {
            keys.order.push_front(key);
        }
    }

    fn end(&self) {
        let mut keys = self.lock();
        keys.has_ended = true;
        wake(keys);
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Option<Vec<u8>>> {
        let mut keys = self.lock();
        if keys.has_ended {
            return Poll::Ready(None);
        }
        if let Some(key) = keys.order.pop_front() {
            keys.known.remove(&key);
            return Poll::Ready(Some(key));
        }
        keys.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes who waits, once the lock is free: it may poll at once.
fn wake(mut keys: MutexGuard<'_, Keys>) {
    let waker = keys.waker.take();
    drop(keys);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(untaken: &Untaken) -> Vec<Option<Vec<u8>>> {
        let context = Context::from_waker(Waker::noop());
        let mut taken = Vec::new();
        while let Poll::Ready(key) = untaken.poll(&context) {
            taken.push(key.clone());
            if key.is_none() {
                break;
            }
        }
        taken
    }

    #[test]
    fn changes_of_one_row_that_nobody_took_are_one() {
        let watchers = Watchers::default();
        let (a, b) = (watchers.add("t"), watchers.add("t"));
        for key in [b"x", b"y", b"x"] {
            watchers.tell("t", key);
            watchers.tell("other", key);
        }
        assert_eq!(taken(&a), [Some(b"x".to_vec()), Some(b"y".to_vec())]);
        watchers.tell("t", b"x");
        assert_eq!(taken(&a), [Some(b"x".to_vec())]);
        assert_eq!(taken(&b).len(), 2);
    }

    #[test]
    fn what_could_not_be_read_comes_first_again() {
        let untaken = Untaken::default();
        untaken.add(b"x");
        untaken.put_back(b"y".to_vec());
        untaken.put_back(b"x".to_vec());
        assert_eq!(taken(&untaken), [Some(b"y".to_vec()), Some(b"x".to_vec())]);
    }

    #[test]
    fn who_watches_no_more_is_forgotten_and_the_end_ends_all() {
        let watchers = Watchers::default();
        let stays = watchers.add("t");
        drop(watchers.add("t"));
        watchers.tell("t", b"x");
        assert_eq!(watchers.lock().len(), 1);
        watchers.end();
        assert_eq!(taken(&stays), [None]);
    }
}
