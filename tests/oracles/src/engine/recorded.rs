//! Days of one engine to begin with.

use syncline_core::{
    api::{Command, Content, DeliveryOrder, EntryKind, Event, Failure, Hint, LinkId, Outcome, Stat, listing},
    folder::message_path,
    link::{Frame, Indexing},
    log::Dot,
};
use syncline_sim::{FOLDER, ROOT};

use super::{
    device::{Edit, OTHER},
    events::{Run, Step},
    folder::{Fate, FolderEdit, Setup},
};
use crate::{
    member::{Member, RawBody, RawChange, Said, birth},
    script,
};

/// The steps of a day on which nothing goes wrong, each piece of work with the outcome that a device gave it, and of
/// days on which a member says much.
pub(crate) fn recorded() -> Vec<Vec<Step>> {
    let command = |command| Step::Event(Event::Command { command });
    let edit = |path, text: &[u8]| Step::Edit(Edit::Write { path, bytes: text.to_vec() });
    let start = || vec![Step::Event(Event::Start), Step::Work { count: 40 }];
    let dot = |counter, index| Dot::new(Member::new(OTHER).author(), counter, index);
    let link = |target: &[u8]| Content::Symlink { target: target.to_vec() };
    let write = |changes| Step::Write { link: 1, changes, skip: 0, lamport: 1 };
    let body = RawBody::Deleted;
    let delete = RawChange::Version { node: dot(1, 0), past: dot(1, 0).into(), body, modified_ns: 1 };
    let inner = RawChange::Birth {
        parent: Some(dot(1, 1)),
        name: "inner".into(),
        past: Default::default(),
        content: link(b"y"),
        mode: 0o777,
        modified_ns: 0,
    };
    let file = Content::File { hash: syncline_core::content::chunk_hash(b"seven b"), size: 7 };
    let hash = syncline_core::content::chunk_hash(b"seven b");
    let digest = syncline_core::api::Hash::from_bytes([0; 32]);
    let mut heads = syncline_core::log::Heads::new();
    heads.insert(dot(1, 0).author, 1);
    let mut days = vec![
        start(),
        vec![edit(0, b"one"), Step::Event(Event::Start), Step::Work { count: 60 }, Step::Wait],
        vec![edit(0, b"one"), edit(3, b"two"), Step::Event(Event::Start), Step::Work { count: 60 }],
        vec![Step::Meet { link: 1 }, Step::Event(Event::Start), Step::Work { count: 60 }],
    ];
    let mut long = start();
    long.extend([edit(0, b"one"), Step::Work { count: 20 }, Step::Meet { link: 1 }]);
    long.push(Step::Say { link: 1, frame: Frame::Heads { heads, digest, indexing: Indexing::Done } });
    long.extend([Step::Work { count: 20 }, write(vec![birth("l", link(b"x")), birth("d", Content::Directory)])]);
    long.extend([Step::Work { count: 40 }, write(vec![inner, delete]), Step::Work { count: 40 }]);
    long.extend([Step::Edit(Edit::Remove { path: 0 }), Step::Work { count: 20 }, Step::Wait, Step::Work { count: 20 }]);
    long.push(Step::Event(Event::Stop));
    days.push(long);
    let mut fetch = start();
    fetch.extend([Step::Meet { link: 1 }, Step::Work { count: 9 }, write(vec![birth("f", file)])]);
    fetch.extend([Step::Work { count: 9 }, Step::Say { link: 1, frame: chunk(hash) }, Step::Work { count: 40 }]);
    fetch.push(Step::Event(Event::LinkReady { link: LinkId(1) }));
    fetch.push(Step::Event(Event::LinkDown { link: LinkId(1) }));
    days.push(fetch);
    for asked in [
        Command::Rescan { root: ROOT },
        Command::AllowDeletions { root: ROOT },
        Command::RestoreDeletions { root: ROOT },
        Command::Retry { root: ROOT },
    ] {
        let mut day = start();
        day.extend([edit(2, b"x"), command(asked), Step::Work { count: 20 }]);
        day.push(Step::Fail { task: 0, failure: Failure::Denied });
        day.push(Step::Clock { monotonic_ms: 0, unix_ms: 1 });
        day.extend([Step::Wait, Step::Event(Event::Stop)]);
        days.push(day);
    }
    days.extend(spoken_of_in_folders());
    let answered: Vec<_> = days.iter().map(|day| answers(day)).collect();
    days.extend(answered);
    days.extend(hostile());
    days.extend(trouble_in_folders());
    days.extend(super::rows::days());
    days
}

fn seen(edit: FolderEdit) -> Step {
    Step::Folder { edit, seen: true }
}

fn say(said: Said, fate: Fate) -> Step {
    seen(FolderEdit::Say { said, skip: 0, lamport: 0, fate })
}

fn say_text(text: &str) -> Step {
    say(Said::Text(text.into()), Fate::Whole)
}

fn publish(text: &str) -> Step {
    Step::Event(Event::Command { command: Command::Publish { payload: text.into() } })
}

fn started(setup: Setup) -> Vec<Step> {
    vec![Step::Configure(setup), Step::Event(Event::Start), Step::Work { count: 60 }]
}

const OPEN: Setup = Setup { rooted: false, sealed: false, probing: false, delivery: Some((DeliveryOrder::Arrival, 0)) };
const SEALED: Setup = Setup { rooted: false, sealed: true, probing: true, delivery: Some((DeliveryOrder::Total, 0)) };
const ROOTED: Setup = Setup { rooted: true, sealed: false, probing: true, delivery: None };
const BOTH: Setup = Setup { rooted: true, sealed: true, probing: false, delivery: Some((DeliveryOrder::Total, 2)) };

/// Days of members who speak through a message folder, about texts and files, over restarts.
fn spoken_of_in_folders() -> Vec<Vec<Step>> {
    let file = Content::File { hash: syncline_core::content::chunk_hash(b"seven b"), size: 7 };
    let edit = |path, text: &[u8]| Step::Edit(Edit::Write { path, bytes: text.to_vec() });
    let rest =
        || [Step::Work { count: 80 }, Step::Wait, Step::Work { count: 80 }, Step::Wait, Step::Work { count: 80 }];
    let mut days = Vec::new();
    for setup in [OPEN, SEALED, ROOTED, BOTH] {
        let mut day = started(setup);
        day.extend([say(Said::Nothing, Fate::Whole), say_text("one"), Step::Work { count: 40 }, publish("two")]);
        day.extend(rest());
        day.extend([publish("three"), Step::Event(Event::Command { command: Command::Settle }), say_text("four")]);
        day.extend(rest());
        day.push(Step::Event(Event::Command { command: Command::Poll { folder: FOLDER } }));
        day.extend(rest());
        day.extend(started(setup));
        day.extend(rest());
        days.push(day);
    }
    for setup in [ROOTED, BOTH] {
        let mut day = started(setup);
        day.push(seen(FolderEdit::Blob { bytes: b"seven b".to_vec(), fate: Fate::Whole }));
        day.push(say(Said::Changes(vec![birth("f", file.clone())]), Fate::Whole));
        day.extend(rest());
        day.push(edit(0, b"of this device"));
        day.extend(rest());
        days.push(day);
    }
    days
}

/// Days on which a service, a host or a store does what it must not, or must not be relied on not to do.
fn trouble_in_folders() -> Vec<Vec<Step>> {
    let author = Member::new(OTHER).author();
    let works = |count| Step::Work { count };
    let mut days = Vec::new();
    let fates = [
        Fate::Damaged { at: 30, bits: 1 },
        Fate::Cut { length: 50 },
        Fate::Astray { path: format!("{author}/2 (conflicted copy)") },
        Fate::Astray { path: message_path(author, 77) },
        Fate::Wrapped,
        Fate::Evicted,
        Fate::Link,
        Fate::Lost,
    ];
    for (setup, fate) in [OPEN, SEALED].into_iter().flat_map(|setup| fates.iter().map(move |fate| (setup, fate))) {
        let mut day = started(setup);
        day.extend([say(Said::Nothing, Fate::Whole), say(Said::Text(b"lost".to_vec()), fate.clone()), works(40)]);
        day.extend([say_text("one"), works(40), Step::Wait, seen(FolderEdit::Bring), works(40), Step::Wait, works(40)]);
        days.push(day);
    }
    let edits = [
        FolderEdit::Info { session: 1, sealed: false },
        FolderEdit::Info { session: 200, sealed: true },
        FolderEdit::Copy { file: 2, path: "info (conflicted copy)".into() },
        FolderEdit::Put { path: message_path(author, 2), bytes: b"junk".to_vec() },
        FolderEdit::Put { path: "../escape".into(), bytes: vec![0; 9] },
        FolderEdit::Take { file: 0 },
        FolderEdit::Evict { file: 2 },
        FolderEdit::Fail { works: 5 },
        FolderEdit::Full { files: 3 },
        FolderEdit::There(false),
        FolderEdit::Refuse { deliveries: 2 },
        FolderEdit::Own { counter: 2, bytes: b"junk".to_vec() },
    ];
    for edit in edits {
        let mut day = started(OPEN);
        day.extend([say(Said::Nothing, Fate::Whole), say_text("one"), publish("two"), seen(edit), works(40)]);
        day.extend([Step::Wait, works(40), seen(FolderEdit::There(true)), publish("three"), Step::Wait, works(80)]);
        days.push(day);
    }
    // A store that forgets what it was to save, and a member who forgets what it said.
    let mut forgotten = started(OPEN);
    forgotten.extend([publish("one"), Step::Answer { task: 0, outcome: Outcome::Saved }, works(60)]);
    forgotten.extend(started(OPEN));
    forgotten.extend([publish("two"), works(60), Step::Wait, works(60)]);
    days.push(forgotten);
    let mut forked = started(SEALED);
    forked.extend([say(Said::Nothing, Fate::Whole), say_text("one"), works(60), Step::Forget]);
    forked.extend([say_text("another"), say_text("two"), works(60), Step::Wait, works(60)]);
    days.push(forked);
    days
}

/// Days on which hosts and members name what is none of the tree's business.
fn hostile() -> Vec<Vec<Step>> {
    const NAMES: [&str; 9] = ["..", "../x", "/etc", "a//b", "", ".", ".syncline", ".SYNCLINE/store", "a\0b"];
    let started = || vec![Step::Event(Event::Start), Step::Work { count: 40 }];
    let stat =
        Stat { kind: EntryKind::File, size: 3, mode: 0o644, modified_ns: 5, changed_ns: 5, file_id: 9, settled: true };
    let nothing = Content::File { hash: syncline_core::content::chunk_hash(b"not empty"), size: 0 };
    let mut days = Vec::new();
    for name in NAMES {
        let mut hinted = started();
        let hints = vec![
            Hint { directory: name.into(), recursive: false },
            Hint { directory: format!("{name}/{name}"), recursive: true },
        ];
        hinted.extend([Step::Event(Event::Changed { root: ROOT, hints }), Step::Work { count: 20 }]);
        days.push(hinted);

        let mut listed = Vec::new();
        for kind in [EntryKind::File, EntryKind::Directory, EntryKind::Symlink] {
            listing::push(&mut listed, name, &Stat { kind, ..stat });
        }
        let outcome = Outcome::Listed { listing: listed, more: true, marker: true };
        days.push(vec![
            Step::Event(Event::Start),
            Step::Perform { task: 0 },
            Step::Perform { task: 0 },
            Step::Answer { task: 0, outcome: outcome.clone() },
            Step::Answer { task: 1, outcome },
            Step::Work { count: 20 },
        ]);

        let mut written = started();
        let changes =
            vec![birth(name, Content::Directory), birth("d", Content::Directory), birth("z", nothing.clone())];
        written.extend([Step::Meet { link: 1 }, Step::Write { link: 1, changes, skip: 0, lamport: 0 }]);
        written.push(Step::Work { count: 40 });
        days.push(written);
    }
    days
}

fn chunk(content: syncline_core::api::Hash) -> Frame {
    Frame::Chunk { content, offset: 0, bytes: b"seven b".to_vec() }
}

/// The same day with each outcome written down instead of a device.
fn answers(day: &[Step]) -> Vec<Step> {
    let mut run = Run::new(true);
    let mut answers = Vec::new();
    for step in day {
        let Step::Work { count } = step else {
            run.step(step);
            answers.push(copy(step));
            continue;
        };
        for _ in 0..*count {
            let Some((task, work)) = run.device.take(0) else { break };
            let outcome = run.device.perform(work);
            answers.push(Step::Answer { task: 0, outcome: outcome.clone() });
            run.complete(task, outcome);
        }
    }
    answers
}

fn copy(step: &Step) -> Step {
    script::read(&script::write(std::slice::from_ref(step))).remove(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use syncline_core::api::Work;

    use super::*;

    #[test]
    fn days_in_folders_have_every_kind_of_work_on_folders() {
        let mut kinds = BTreeSet::new();
        for day in spoken_of_in_folders().iter().chain(&trouble_in_folders()) {
            let mut run = Run::new(true);
            for step in day {
                let Step::Work { count } = step else {
                    run.step(step);
                    continue;
                };
                for _ in 0..*count {
                    let Some((_, work)) = run.device.pending.first() else { break };
                    kinds.insert(match work {
                        Work::FolderList { .. } => "list",
                        Work::FolderProbe { .. } => "probe",
                        Work::FolderRead { .. } => "read",
                        Work::FolderCreate { files, .. } if files[0].path.starts_with("blobs/") => "create a blob",
                        Work::FolderCreate { .. } => "create",
                        Work::FolderRemove { .. } => "remove",
                        Work::FolderFetch { .. } => "fetch",
                        Work::Deliver { .. } => "deliver",
                        _ => "other",
                    });
                    run.step(&Step::Perform { task: 0 });
                }
            }
        }
        let expected = ["create", "create a blob", "deliver", "fetch", "list", "other", "probe", "read", "remove"];
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
    }
}
