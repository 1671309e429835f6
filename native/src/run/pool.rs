//! The threads that do the engines' disk work.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};
use syncline_core::api::{Failure, HashItem, HashResult, Outcome, TaskId, Work};

use super::runner::Input;
use crate::Error;
use crate::disk::{Buffer, Disk, Part, shares};
use crate::folder::SharedFolder;

type Job = Box<dyn FnOnce(&mut Buffer) + Send>;
/// Sees each piece of work and its outcome before the engine does.
pub(crate) type Witness = Arc<dyn Fn(&Work, &Outcome) + Send + Sync>;

/// How many files one thread takes at a time.
const FILES_AT_ONCE: usize = 32;
/// How many bytes of files one thread takes at a time, if that is fewer files.
const BYTES_AT_ONCE: u64 = 4 * 1024 * 1024;

/// Threads that do work in any order.
pub(crate) struct Pool {
    jobs: Option<Sender<Job>>,
    /// Nobody waits for what is still queued.
    closing: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Sends the one completion that each piece of work gets, whatever happens to the thread that does it.
pub(crate) struct Reply {
    task: TaskId,
    to: Sender<Input>,
    sent: bool,
}

impl Reply {
    /// A completion that is due.
    pub(crate) fn new(task: TaskId, to: Sender<Input>) -> Self {
        Self { task, to, sent: false }
    }

    /// Sends it.
    pub(crate) fn send(mut self, outcome: Outcome) {
        self.deliver(outcome);
    }

    fn deliver(&mut self, outcome: Outcome) {
        self.sent = true;
        // A runner that has ended needs no completions.
        let _ = self.to.send(Input::Completed { task: self.task, outcome });
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.sent {
            let message = "the host failed while doing this; this is a defect, please report it".into();
            self.deliver(Outcome::Failed { failure: Failure::Other { message } });
        }
    }
}

impl Pool {
    /// As many threads as the system can run at once.
    ///
    /// # Errors
    /// The system gives no threads.
    pub(crate) fn new() -> Result<Pool, Error> {
        let count = thread::available_parallelism().map_or(2, usize::from).max(1);
        let (jobs, queue) = unbounded::<Job>();
        let closing = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::with_capacity(count);
        for number in 0..count {
            let (queue, closing): (Receiver<Job>, _) = (queue.clone(), Arc::clone(&closing));
            let thread =
                thread::Builder::new().name(format!("disk-{number}")).spawn(move || work_off(&queue, &closing));
            threads.push(thread.map_err(|e| Error::Failed { what: format!("cannot start a thread: {e}") })?);
        }
        Ok(Pool { jobs: Some(jobs), closing, threads })
    }

    /// Does a piece of work on some thread.
    pub(crate) fn perform(&self, disk: &Arc<Disk>, work: Work, reply: Reply, witness: &Witness) {
        let disk = Arc::clone(disk);
        if let Work::Hash { items, .. } = work {
            return self.hash(disk, items, reply);
        }
        let witness = Arc::clone(witness);
        self.submit(Box::new(move |buffer| {
            if let Some(outcome) = disk.perform(&work, buffer) {
                witness(&work, &outcome);
                reply.send(outcome);
            }
        }));
    }

    /// Does a piece of work on a message folder on some thread.
    pub(crate) fn perform_in_folder(&self, folder: &Arc<SharedFolder>, work: Work, reply: Reply) {
        let folder = Arc::clone(folder);
        self.submit(Box::new(move |_| {
            if let Some(outcome) = folder.perform(&work) {
                reply.send(outcome);
            }
        }));
    }

    /// Divides files among the threads.
    fn hash(&self, disk: Arc<Disk>, items: Vec<HashItem>, reply: Reply) {
        let width = self.threads.len();
        let units = divide(&items, u32::try_from(width).unwrap_or(u32::MAX));
        let threads = width.min(units.len()).max(1);
        let done = units.iter().map(|_| None).collect();
        let job = Arc::new(HashJob {
            disk,
            items,
            next: AtomicUsize::new(0),
            state: Mutex::new(HashState { done, threads, reply: Some(reply) }),
            units,
        });
        for _ in 0..threads {
            let job = Arc::clone(&job);
            self.submit(Box::new(move |buffer| job.run(buffer)));
        }
    }

    fn submit(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The threads live as long as the pool.
            let _ = jobs.send(job);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn work_off(queue: &Receiver<Job>, closing: &AtomicBool) {
    let mut buffer = Buffer::default();
    for job in queue {
        if closing.load(Ordering::Relaxed) {
            continue;
        }
        // A job that panics has lost its `Reply`, which tells the engine; the thread goes on.
        if catch_unwind(AssertUnwindSafe(|| job(&mut buffer))).is_err() {
            tracing::error!("a piece of disk work panicked");
        }
    }
}

/// Part of a hashing job that one thread takes at once.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unit {
    Files(Range<usize>),
    Share { item: usize, share: Range<u64> },
}

enum Done {
    Files(Vec<HashResult>),
    Share(Box<Result<Part, Failure>>),
}

struct HashJob {
    disk: Arc<Disk>,
    items: Vec<HashItem>,
    units: Vec<Unit>,
    next: AtomicUsize,
    state: Mutex<HashState>,
}

struct HashState {
    done: Vec<Option<Done>>,
    /// Threads still at it.
    threads: usize,
    reply: Option<Reply>,
}

impl HashJob {
    fn run(&self, buffer: &mut Buffer) {
        while let Some((number, unit)) = self.take() {
            let done = match unit {
                Unit::Files(range) => {
                    Done::Files(self.disk.hash(self.items.get(range.clone()).unwrap_or_default(), buffer))
                }
                Unit::Share { item, share } => Done::Share(Box::new(match self.items.get(*item) {
                    Some(item) => self.disk.hash_share(item, share.clone(), buffer),
                    None => Err(Failure::Missing),
                })),
            };
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(slot) = state.done.get_mut(number) {
                *slot = Some(done);
            }
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.threads = state.threads.saturating_sub(1);
        if state.threads > 0 {
            return;
        }
        let done = std::mem::take(&mut state.done);
        let reply = state.reply.take();
        drop(state);
        if let (Some(reply), Some(results)) = (reply, self.assemble(done, buffer)) {
            reply.send(Outcome::Hashed { results });
        }
    }

    fn take(&self) -> Option<(usize, &Unit)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.units.get(number).map(|unit| (number, unit))
    }

    /// The results in the order asked; none if a thread failed to bring its own.
    fn assemble(&self, done: Vec<Option<Done>>, buffer: &mut Buffer) -> Option<Vec<HashResult>> {
        let mut results = Vec::with_capacity(self.items.len());
        let mut parts: Vec<Result<Part, Failure>> = Vec::new();
        for (number, done) in done.into_iter().enumerate() {
            match done? {
                Done::Files(files) => results.extend(files),
                Done::Share(part) => {
                    parts.push(*part);
                    if !self.continues(number) {
                        results.push(self.disk.join_shares(std::mem::take(&mut parts), buffer));
                    }
                }
            }
        }
        Some(results)
    }

    /// Whether the next unit is of the same file.
    fn continues(&self, number: usize) -> bool {
        match (self.units.get(number), self.units.get(number + 1)) {
            (Some(Unit::Share { item, .. }), Some(Unit::Share { item: next, .. })) => item == next,
            _ => false,
        }
    }
}

fn divide(items: &[HashItem], threads: u32) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut start = 0;
    let mut bytes = 0u64;
    for (index, item) in items.iter().enumerate() {
        let parts = shares(item.size, threads);
        if parts.len() > 1 {
            if start < index {
                units.push(Unit::Files(start..index));
            }
            units.extend(parts.into_iter().map(|share| Unit::Share { item: index, share }));
            start = index + 1;
            bytes = 0;
            continue;
        }
        bytes = bytes.saturating_add(item.size);
        if index + 1 - start >= FILES_AT_ONCE || bytes >= BYTES_AT_ONCE {
            units.push(Unit::Files(start..index + 1));
            start = index + 1;
            bytes = 0;
        }
    }
    if start < items.len() {
        units.push(Unit::Files(start..items.len()));
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use syncline_core::api::RootId;
    use syncline_core::content;

    fn item(size: u64) -> HashItem {
        HashItem { path: "x".into(), size }
    }

    #[test]
    fn files_are_divided_by_number_and_size() {
        assert_eq!(divide(&[], 2), []);
        let many: Vec<HashItem> = (0..70).map(|_| item(10)).collect();
        assert_eq!(divide(&many, 2), [Unit::Files(0..32), Unit::Files(32..64), Unit::Files(64..70)]);
        let mixed = [item(1), item(1 << 30), item(5 << 20), item(1)];
        let units = divide(&mixed, 2);
        assert_eq!(units.first(), Some(&Unit::Files(0..1)));
        assert!(matches!(units.get(1..3), Some([Unit::Share { item: 1, .. }, Unit::Share { item: 1, .. }])));
        assert_eq!(units.get(3..), Some([Unit::Files(2..3), Unit::Files(3..4)].as_slice()));
    }

    #[test]
    fn results_come_in_the_order_asked() {
        let folder = tempfile::tempdir().unwrap();
        let large: Vec<u8> = (0..20_000_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let mut items = Vec::new();
        let mut expected = Vec::new();
        for number in 0..100usize {
            let bytes = if number == 40 { large.clone() } else { vec![number as u8; number * 100] };
            std::fs::write(folder.path().join(number.to_string()), &bytes).unwrap();
            items.push(HashItem { path: number.to_string(), size: bytes.len() as u64 });
            expected.push(content::hash(&bytes).unwrap().content);
        }
        items.push(HashItem { path: "none".into(), size: 5 });
        let root = crate::disk::open_directory(rustix::fs::CWD, folder.path()).unwrap();
        let (to, from) = unbounded();
        let pool = Pool::new().unwrap();
        let work = Work::Hash { root: RootId::from_bytes([0; 16]), items };
        let witness: Witness = Arc::new(|_, _| {});
        pool.perform(&Arc::new(Disk::dry(root, None)), work, Reply::new(TaskId(9), to), &witness);
        let Ok(Input::Completed { task: TaskId(9), outcome: Outcome::Hashed { results } }) = from.recv() else {
            panic!("not hashed")
        };
        for (number, (result, expected)) in results.iter().zip(&expected).enumerate() {
            let HashResult::Hashed { content, .. } = result else { panic!("{number}: {result:?}") };
            assert_eq!(content, expected, "{number}");
        }
        assert_eq!(results.get(100..), Some([HashResult::Failed { failure: Failure::Missing }].as_slice()));
    }

    #[test]
    fn work_that_panics_is_still_answered() {
        let (to, from) = unbounded();
        let pool = Pool::new().unwrap();
        let reply = Reply::new(TaskId(1), to);
        pool.submit(Box::new(move |_| {
            let _reply = reply;
            panic!("on purpose");
        }));
        let answer = from.recv();
        assert!(matches!(answer, Ok(Input::Completed { outcome: Outcome::Failed { .. }, .. })));
    }
}
