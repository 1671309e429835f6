//! Faults that are planted on purpose, so that the simulator can show that its checks find them.
//!
//! One build holds all of them, and one at most does wrong at a time: the one that was last given to [`plant`]. They are
//! there with the feature `planted` only, which no build that people use has. Without it [`planted`] is always false and
//! nothing of them is compiled.
//!
//! Invariant: every name is unique and leads back to its fault (`planted::tests::names_are_unique_and_lead_back`).

#[cfg(feature = "planted")]
use core::sync::atomic::{AtomicU32, Ordering};

/// Defines the faults: what is done wrong and where, in a sentence; the fault; its name.
macro_rules! faults {
    ($($(#[doc = $sentence:literal])+ $fault:ident = $name:literal,)+) => {
        /// A fault that can be planted. Its description says what is done wrong at which place.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum Planted {
            $($(#[doc = $sentence])+ $fault,)+
        }

        #[cfg(feature = "planted")]
        impl Planted {
            /// Every fault, part of the engine by part.
            pub const ALL: &'static [Planted] = &[$(Planted::$fault,)+];

            /// Its name, for command lines and tables.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Planted::$fault => $name,)+
                }
            }

            /// What is done wrong and where, in one sentence.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Planted::$fault => concat!($($sentence),+).trim_ascii_start(),)+
                }
            }

            /// The fault of this name.
            pub fn from_name(name: &str) -> Option<Planted> {
                Planted::ALL.iter().copied().find(|fault| fault.name() == name)
            }
        }
    };
}

faults! {
    // Message folders: what is read and written, and what applications are given.

    /// `Folder::infos_read` goes on with whatever session the folder holds.
    OtherSessionFollowed = "other-session-followed",
    /// `Folder::folder_read` takes a message of another place for the one that belongs there.
    AnyPlaceRead = "any-place-read",
    /// `Folder::created` does not look at an own file that is there already.
    OwnFileNotCompared = "own-file-not-compared",
    /// `Folder::write_turn` writes own messages that are not saved yet.
    UnsavedWritten = "unsaved-written",
    /// `Compaction::applied_by_all` does not ask who has a message.
    ClearedUnapplied = "cleared-unapplied",
    /// `Folder::next_cleared` removes own files before the checkpoint that voids them stands in the folder.
    ClearedBeforeCheckpoint = "cleared-before-checkpoint",
    /// `Engine::forget_voided` forgets messages that the application does not have yet.
    VoidedUndelivered = "voided-undelivered",
    /// `Folder::write_turn` never writes the last own message.
    LastOwnUnwritten = "last-own-unwritten",
    /// `Info::choose` takes the largest session.
    LargestSessionWins = "largest-session-wins",
    /// `parse_counter` reads counters with zeros before them.
    PaddedCounterRead = "padded-counter-read",
    /// `FeedIndex::fail` does not remember a file that could not be verified.
    TornFileGivenUp = "torn-file-given-up",
    /// `Deliveries::completed` takes a delivery that failed for done.
    FailedDeliveryCounts = "failed-delivery-counts",
    /// `Stability::bound` waits for one member only.
    StableTooEarly = "stable-too-early",
    /// `Engine::answer_what_was_restored` acknowledges nothing that an engine before left unanswered.
    AcknowledgementForgotten = "acknowledgement-forgotten",
    /// `Folder::infos_read` does not ask for an `info` whose bytes are elsewhere.
    InfoNotFetched = "info-not-fetched",
    /// `Pass::keeps` lets blobs go that living contents have, too.
    SharedCollected = "shared-collected",
    /// `Engine::begin_pass` removes blobs of other replicas, too.
    OthersCollected = "others-collected",
    /// `Pass::take_dead` and `Pass::prove` let blobs go before others can know that they are dead.
    CollectedAtOnce = "collected-at-once",
    /// `Engine::note_dead` does not write down what died.
    DeathNotNoted = "death-not-noted",
    /// `Uploads::forget_done` takes blobs that were collected for standing in the folder still.
    UploadsStayDone = "uploads-stay-done",
    /// `Collection::keep` lets blobs go that were found standing since the pass began.
    UploadsNotSpared = "uploads-not-spared",
    /// `Deliveries::start` gives numbers again that the application has had from a store that is lost.
    NumbersGivenAgain = "numbers-given-again",

// Records: what rows come to, and what applications' databases are given.

    /// `Row::set` lets the write that arrives last win.
    LastArrivalWins = "last-arrival-wins",
    /// `Row::set` does not compare replicas where two times are equal.
    StampReplicaIgnored = "stamp-replica-ignored",
    /// `Row::set` writes over the first property instead of the one that is meant.
    PropertiesMixed = "properties-mixed",
    /// `Row::exists` lets updates revive that were stamped before the deletion.
    OldUpdateRevives = "old-update-revives",
    /// `Row::exists` lets later updates revive rows of tables where a deletion wins.
    DeletionWinsIgnored = "deletion-wins-ignored",
    /// `Records::gather` does not let what is applied raise the own clock.
    AppliedNotObserved = "applied-not-observed",
    /// `Records::gather` applies operations that are stamped too far ahead.
    HeldAppliedAtOnce = "held-applied-at-once",
    /// `Records::gather` lets held operations raise the own clock.
    HeldMovesClock = "held-moves-clock",
    /// `Records::release` never releases a held operation.
    HeldForGood = "held-for-good",
    /// `Records::put_progress` does not save the clock.
    RowClockNotSaved = "row-clock-not-saved",
    /// `Records::accept` does not save that a message's operations are to be merged.
    UnmergedNotMarked = "unmerged-not-marked",
    /// `Records::messages_loaded` takes messages for merged before their rows are saved.
    UnmarkedBeforeMerged = "unmarked-before-merged",
    /// `Records::merged` writes over the stored row instead of merging into it.
    RowOverwritten = "row-overwritten",
    /// `Records::status` tells changes as taken that are not saved.
    TakenBeforeSaved = "taken-before-saved",
    /// `Records::remember` does not save which rows changed.
    ChangedForgotten = "changed-forgotten",
    /// `Records::start` gives numbers again that the database has had from a store that is lost.
    BatchNumberedAgain = "batch-numbered-again",
    /// `Records::walked` leaves out the last row of a page.
    WalkLeavesOut = "walk-leaves-out",
    /// `Records::start` does not give the rows of a table that has become known.
    KnownTableNotWalked = "known-table-not-walked",
    /// `Engine::records_completed` takes a batch that the database refused for one that it has.
    FailedBatchCounts = "failed-batch-counts",
    /// `Engine::write_if_loaded` gives nothing again that rows on their way into the database write over.
    StaleRowsStay = "stale-rows-stay",
    /// `Engine::rows_of_others` knows of no row that another device owns.
    ForeignRowAccepted = "foreign-row-accepted",
    /// `Engine::write_change` does not give back the row of a change that is refused.
    RefusedNotUndone = "refused-not-undone",
    /// `Log::judge` takes what a removed member wrote beyond its last message that counts.
    VoidTaken = "void-taken",
    /// `Engine::regroup` keeps what it has of a removed member beyond its last message that counts.
    VoidKept = "void-kept",
    /// `Engine::regroup` does not merge again what void messages had said of rows.
    VoidRowsStay = "void-rows-stay",
    /// `Records::accept` leaves rows as they are where an author voided messages that did not know yet what does not count.
    VoidedByUnawareKept = "voided-by-unaware-kept",
    /// `Engine::lasts` lets an operation cost others the values it covers that may still be voided.
    CoveredByPassing = "covered-by-passing",
    /// `Engine::recreate` makes no row anew whose creation is void.
    NotRecreated = "not-recreated",

    // The log: what is held, of whom, and whether it may be believed.

    /// `Log::admit` does not let the messages of others raise the lamport.
    LamportNotRaised = "lamport-not-raised",
    /// `Log::restore` begins with lamport 0 again after a restart.
    LamportForgotten = "lamport-forgotten",
    /// `IntervalSet::contains` takes the first number of an interval for one that is not in it.
    IntervalContainsOpen = "interval-contains-open",
    /// `IntervalSet::insert_range` joins two intervals although one number between them is missing.
    IntervalJoinsGap = "interval-joins-gap",
    /// `Log::digest` leaves out the author with the smallest id.
    DigestSkipsAuthor = "digest-skips-author",
    /// `Log::judge` takes messages whose signature does not hold.
    SignatureUnchecked = "signature-unchecked",
    /// `Log::judge` takes messages of authors whose introduction is not held.
    UnknownAuthorAccepted = "unknown-author-accepted",
    /// `Introduction::verify` does not ask for the proof that the device knew the group's key.
    ProofUnchecked = "proof-unchecked",
    /// `check_change` lets links through whose target no link can have.
    LinkTargetUnchecked = "link-target-unchecked",
    /// `check_change` and `latest_mode` take more than permission bits.
    ModeUnchecked = "mode-unchecked",
    /// `Engine::message` goes on under the same id although own messages come back that the store has lost.
    OwnFeedAheadIgnored = "own-feed-ahead-ignored",

    // The tree: what the group knows, what should stand, what a look means.

    /// `Merged::add_version` lets a version live that arrives after the one that replaced it.
    SupersededForgotten = "superseded-forgotten",
    /// `Merged::add_version` ranks versions by when they arrived here.
    TieByArrival = "tie-by-arrival",
    /// `Merged::set_mode` lets the permission bits that arrive last win.
    ModeByArrival = "mode-by-arrival",
    /// `Merged::closure` takes only the first of several versions with equal bytes.
    ClosureOfFirst = "closure-of-first",
    /// `Node::is_directory` lets a deleted directory die although something lives in it.
    DirectoryDies = "directory-dies",
    /// `directories_at` looks into only one of several directories of one name.
    DirectoriesNotUnited = "directories-not-united",
    /// `groups` shows nothing of a node that someone deleted while someone else edited it.
    DeletionHidesEdit = "deletion-hides-edit",
    /// `entries` shows the latest of several versions and no conflict copies.
    ConflictLoserDropped = "conflict-loser-dropped",
    /// `changed` takes everything that has been received for a path as past, not only what stood there.
    HeadsAsPast = "heads-as-past",
    /// `in_grace` lets the first write over an unrelated version supersede it at once.
    GraceIgnored = "grace-ignored",
    /// `in_grace` goes on after the ten minutes.
    GraceEndless = "grace-endless",
    /// `meaning` lets a deletion supersede nothing while the path is in its grace.
    GraceForDeletion = "grace-for-deletion",
    /// `meaning` adopts any unknown file for the version that the view assigns, whatever its bytes.
    AdoptUnequal = "adopt-unequal",
    /// `Standing::looks_like` does not see that permission bits differ from the view's.
    ModeNotCarriedOut = "mode-not-carried-out",
    /// `Name::new` accepts `.` and `..`.
    DotsAccepted = "dots-accepted",

    // One root: from disk to log.

    /// `Root::list_failed` and `Root::sort_out` take an error for an absence.
    ErrorAsAbsence = "error-as-absence",
    /// `Root::listed` and `Root::sort_out` do not care whether the root's marker is there.
    MarkerIgnored = "marker-ignored",
    /// `Root::looked` takes a path that is missing once for deleted.
    OneProbe = "one-probe",
    /// `Root::looked` probes a missing path for the second time at once.
    NoDebounce = "no-debounce",
    /// `Root::decide_deletions` holds no deletions, however many there are.
    DeletionsNotHeld = "deletions-not-held",
    /// `Root::vanished` takes what went missing while the engine did not run for what never came here.
    OfflineDeletionForgotten = "offline-deletion-forgotten",
    /// `Root::listed` does not look for what is missing behind the last name of a directory.
    ListingTailUnseen = "listing-tail-unseen",
    /// `Root::examine` forgets that a path changed while something was being done about it.
    AgainDropped = "again-dropped",
    /// `Root::examine` forgets what lay in a directory in whose place a file stands.
    SupplantedIgnored = "supplanted-ignored",
    /// `Root::examine` trusts metadata that was read too soon after the last write.
    UnsettledStatTrusted = "unsettled-stat-trusted",
    /// `Root::unreadable` does not look again at a path that could not be read.
    UnreadableForgotten = "unreadable-forgotten",
    /// `Root::scan_turn` begins a task for each file to read, however many there are.
    HashUnbounded = "hash-unbounded",
    /// `Root::evidence_turn` begins a probe for each path in question, however many there are.
    ProbeUnbounded = "probe-unbounded",
    /// `Root::absorb` lets every write within ten minutes supersede nothing, not only the first.
    GraceKept = "grace-kept",
    /// `Root::absorb` does not save the base entry with the message that was made of it.
    AbsorbedBaseNotSaved = "absorbed-base-not-saved",

    // One root: from view to disk.

    /// `Root::intend` does not save the intents.
    IntentsNotSaved = "intents-not-saved",
    /// `Root::restore_intent` does not take the intents of before a crash into account.
    IntentsIgnored = "intents-ignored",
    /// `Root::commit` removes the intents before the changes are made.
    IntentsRemovedEarly = "intents-removed-early",
    /// `Root::prepare_commit` has the changes made at once, not when their intents are saved.
    CommitBeforeSaved = "commit-before-saved",
    /// `Root::committed` takes a change that was refused, for something else stood there, for one that was made.
    RefusedTakenForMade = "refused-taken-for-made",
    /// `Root::made` does not save what stands now.
    MadeBaseNotSaved = "made-base-not-saved",
    /// `Root::made` begins the grace for every version that takes a path, related or not.
    GraceAlways = "grace-always",
    /// `Root::not_made` leaves the staged file of a refused change behind.
    StageLeaked = "stage-leaked",
    /// `Root::fetched` gives every fetched file the usual permission bits.
    FetchedModeDropped = "fetched-mode-dropped",
    /// `Root::cancel_fetch_of_other` keeps the path of a fetch that was given up busy.
    CancelledFetchStaysBusy = "cancelled-fetch-stays-busy",
    /// `Root::release_waiting` forgets the files that waited for another one with the same bytes.
    WaiterForgotten = "waiter-forgotten",
    /// `Root::wishes` leaves conflict copies standing that the view does not have any more.
    WithdrawnCopyStays = "withdrawn-copy-stays",
    /// `Root::project_path` carries out what the log says of Syncline's own folder.
    ReservedNameProjected = "reserved-name-projected",
    /// `is_reserved` knows Syncline's own folder in lower case only.
    ReservedNameInCapitals = "reserved-name-in-capitals",
    /// `Root::free` does not compare a path again whose view changed while it was busy.
    BusyPathForgotten = "busy-path-forgotten",
    /// `Root::deadline` does not name the time at which what failed is to be tried again.
    RetryWithoutDeadline = "retry-without-deadline",
    /// `Root::is_blocked` lets what failed be tried again at once, without end.
    RetryAtOnce = "retry-at-once",

    // The engine: saving.

    /// `Shared::close_draft` is not called before messages of others are taken, so that the open one's order is stale.
    DraftLeftOpen = "draft-left-open",
    /// `Engine::saved` takes everything held for saved, also what came while the batch was being saved.
    SavedMeansAll = "saved-means-all",
    /// `Engine::saved` goes on as if nothing had happened when the store did not take a batch.
    SaveFailureIgnored = "save-failure-ignored",
    /// `Saver::is_busy` lets a second batch go to the store before the first is saved.
    SavesOverlap = "saves-overlap",

    // Peers: what they are told, sent, asked.

    /// `Engine::acknowledge` tells peers that messages are saved that are only held.
    AcknowledgeEarly = "acknowledge-early",
    /// `Engine::note_applied` takes messages for carried out that are only saved.
    AppliedEarly = "applied-early",
    /// `say_heads` names messages that are not saved yet.
    HeadsBeforeSaved = "heads-before-saved",
    /// `say_heads` names nothing until the first scan after a start is done.
    HeadsForgotten = "heads-forgotten",
    /// `Engine::heads` answers heads with heads.
    HeadsEchoed = "heads-echoed",
    /// `Engine::feed` passes on no messages of others.
    ForeignMessagesKept = "foreign-messages-kept",
    /// `Engine::feed` reads all but the last of several messages and takes all for sent.
    LastOfRunUnsent = "last-of-run-unsent",
    /// `Engine::feed` takes messages for sent that the store does not have yet.
    UnsavedTakenForSent = "unsaved-taken-for-sent",
    /// `Engine::take_back_wants` forgets what was asked of a peer whose link goes down.
    WantLostWithLink = "want-lost-with-link",
    /// `Engine::absent` forgets a chunk that the peer asked does not have.
    AbsentChunkForgotten = "absent-chunk-forgotten",
    /// `Peer::can_ask` never asks a peer again for a content that it did not have once.
    AbsentForGood = "absent-for-good",
    /// `Engine::absent` asks a peer again at once for what it has just said that it does not have.
    AbsentAskedAgain = "absent-asked-again",
    /// `Engine::ask` asks a peer again at once whose chunks do not match their hashes.
    LiarAskedAgain = "liar-asked-again",

    // Links.

    /// `Spending::spend` loses a mebibyte of credit with each frame of messages.
    CreditLeaks = "credit-leaks",
    /// `Cut::next_packet` does not count the header, so that packets are a byte longer than the pipe takes.
    PacketTooLong = "packet-too-long",
}

/// Which fault is planted. It holds for the whole process, as the simulator's workers all look for one fault: the only
/// static of the engine, and only with this feature.
#[cfg(feature = "planted")]
static PLANTED: AtomicU32 = AtomicU32::new(NOTHING);

#[cfg(feature = "planted")]
const NOTHING: u32 = u32::MAX;

/// Plants a fault in every engine of this process, in place of the one before; none heals them.
#[cfg(feature = "planted")]
pub fn plant(fault: Option<Planted>) {
    PLANTED.store(fault.map_or(NOTHING, |fault| fault as u32), Ordering::Relaxed);
}

/// Whether this fault is planted.
#[cfg(feature = "planted")]
#[inline]
pub fn planted(fault: Planted) -> bool {
    PLANTED.load(Ordering::Relaxed) == fault as u32
}

/// Whether this fault is planted: never without the feature, so that the code of faults is left out.
#[cfg(not(feature = "planted"))]
#[inline(always)]
pub(crate) const fn planted(_: Planted) -> bool {
    false
}

// Without the feature nothing can be planted: there is no `plant`, and this is known when the engine is compiled.
#[cfg(not(feature = "planted"))]
const _: () = assert!(!planted(Planted::LamportNotRaised));

#[cfg(all(test, feature = "planted"))]
mod tests {
    use std::collections::BTreeSet;
    use std::format;
    use std::string::String;

    use super::*;

    #[test]
    fn there_are_faults_enough() {
        assert!(Planted::ALL.len() >= 48, "found {}", Planted::ALL.len());
    }

    #[test]
    fn names_are_unique_and_lead_back() {
        let names: BTreeSet<&str> = Planted::ALL.iter().map(|fault| fault.name()).collect();
        assert_eq!(names.len(), Planted::ALL.len());
        for fault in Planted::ALL {
            assert_eq!(Planted::from_name(fault.name()), Some(*fault));
        }
        assert_eq!(Planted::from_name("no-such-fault"), None);
    }

    #[test]
    fn names_are_those_of_the_faults_in_kebab_case() {
        for fault in Planted::ALL {
            let mut kebab = String::new();
            for letter in format!("{fault:?}").chars() {
                if letter.is_ascii_uppercase() && !kebab.is_empty() {
                    kebab.push('-');
                }
                kebab.push(letter.to_ascii_lowercase());
            }
            assert_eq!(fault.name(), kebab);
        }
    }

    #[test]
    fn descriptions_are_sentences_that_name_a_place() {
        for fault in Planted::ALL {
            let sentence = fault.description();
            assert!(sentence.starts_with('`') && sentence.ends_with('.'), "{fault:?}: {sentence}");
        }
    }
}
