//! The same work on many items, several at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::crew::is_interrupted;
use super::quiet::quietly;

/// Works on items in their order, so many at once, while worlds may panic, and tells what came of each as it comes, until
/// all are done or `tell` says that it is enough. False if some were left out.
pub fn each<T: Sync, R: Send>(
    jobs: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut tell: impl FnMut(usize, R) -> bool,
) -> bool {
    let (next, end) = (AtomicUsize::new(0), AtomicUsize::new(items.len()));
    std::thread::scope(|scope| {
        // Nobody works far ahead of who is told.
        let (sender, receiver) = mpsc::sync_channel(jobs);
        for _ in 0..jobs {
            let (sender, next, end, work) = (sender.clone(), &next, &end, &work);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index).filter(|_| index < end.load(Ordering::Relaxed)) else { return };
                    // Whoever listens does so until the last of us is done.
                    let _ = sender.send((index, quietly(|| work(item))));
                }
            });
        }
        drop(sender);
        let mut done = 0;
        for (index, result) in receiver {
            done += 1;
            if !tell(index, result) || is_interrupted() {
                end.store(0, Ordering::Relaxed);
            }
        }
        done == items.len()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_items_are_done_unless_it_is_enough() {
        let items: Vec<u64> = (0..100).collect();
        for jobs in [1, 3] {
            let mut sum = 0;
            assert!(each(
                jobs,
                &items,
                |item| item * 2,
                |_, double| {
                    sum += double;
                    true
                }
            ));
            assert_eq!(sum, 9_900);
            let mut told = 0;
            assert!(!each(
                jobs,
                &items,
                |item| *item,
                |_, _| {
                    told += 1;
                    false
                }
            ));
            assert!(told >= 1 && told < items.len(), "{told}");
        }
    }
}
