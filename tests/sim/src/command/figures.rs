//! What happened in many stories, in a table, and what never did.

use indicatif::HumanCount;
use syncline_sim::story::{ActKind, Coverage, Kind, Swarm, TroubleKind};
use syncline_sim::{Genre, messages, records};

use super::crew::Tally;

/// So many runs are enough for every kind of thing to happen.
pub const RUNS_ENOUGH: u64 = 2_000;

/// What else must happen, beside every act and trouble: work, ways in which it fails, notices, faults that strike. Kinds
/// that are left out are too rare to be met in so few runs, or not drawn at all (bits that flip in what is hashed).
const EXPECTED: &[&str] = &[
    "work Commit",
    "work Discard",
    "work Hash",
    "work List",
    "work Load",
    "work Probe",
    "work Read",
    "work Save",
    "work Stage",
    "Commit failed Changed",
    "Commit failed Denied",
    "Commit failed NotEmpty",
    "Commit failed Other",
    "Hash failed Denied",
    "Hash failed Missing",
    "Hash failed Other",
    "List failed Changed",
    "List failed Denied",
    "List failed Missing",
    "List failed Other",
    "Probe failed Denied",
    "Probe failed Missing",
    "Probe failed Other",
    "Read failed Changed",
    "Read failed Denied",
    "Read failed Missing",
    "Read failed Other",
    "Save failed Other",
    "Stage failed Changed",
    "Stage failed Corrupt",
    "Stage failed Denied",
    "Stage failed Missing",
    "Stage failed NoSpace",
    "Stage failed Other",
    "notice ChunkCorrupt",
    "notice Conflict",
    "notice DeletionsHeld",
    "notice DirectoryRetained",
    "notice MessageRefused",
    "notice NewIncarnation",
    "notice NoSpace",
    "notice PeerInvalid",
    "notice PeerOtherGroup",
    "notice RootMissing",
    "notice Skipped",
    "notice StoreFailed",
    "notice Unreadable",
    "notice Unwritable",
    "fault chunks_torn",
    "fault commits_failed",
    "fault delayed",
    "fault denied",
    "fault device",
    "fault files_vanished",
    "fault flipped_ranges",
    "fault flipped_staged",
    "fault hints_doubled",
    "fault hints_late",
    "fault hints_lost",
    "fault hints_merged",
    "fault hints_overflowed",
    "fault items_undone",
    "fault jumps_backwards",
    "fault jumps_forwards",
    "fault no_space",
    "fault power_crashes",
    "fault process_crashes",
    "fault saves_failed",
    "fault saves_failed_late",
    "fault saves_undone",
    "fault sleeps",
    "fault staged_torn",
    "fault syncs_failed",
    "fault work_begun",
    "fault work_in_part",
    "fault work_untold",
    "fault writes_torn",
    "fault writes_undone",
];

/// File systems that must be among those of the devices.
const PLATFORMS: &[&str] = &[
    "platform coarse_times",
    "platform fresh_numbers",
    "platform no_modes",
    "platform no_numbers",
    "platform no_swaps",
];

/// What must happen in stories of message folders.
const EXPECTED_OF_FOLDERS: &[&str] = &[
    "FolderCreate failed Changed",
    "FolderCreate failed Missing",
    "FolderCreate failed NoSpace",
    "FolderCreate failed Other",
    "FolderList failed Missing",
    "FolderList failed Other",
    "FolderProbe failed Missing",
    "FolderProbe failed Other",
    "FolderRead failed Missing",
    "FolderRead failed NotLocal",
    "FolderRead failed Other",
    "Deliver failed Other",
    "Save failed Other",
    "carriage brought",
    "carriage doubled",
    "carriage late",
    "carriage placeholder",
    "carriage torn",
    "carriage unheard",
    "fault delayed",
    "fault items_undone",
    "fault jumps_backwards",
    "fault jumps_forwards",
    "fault power_crashes",
    "fault process_crashes",
    "fault saves_failed",
    "fault saves_failed_late",
    "fault saves_undone",
    "fault sleeps",
    "fault work_begun",
    "fault work_in_part",
    "fault work_untold",
    "member Arrival",
    "member Listing",
    "member Probing",
    "member Total",
    "member linked",
    "notice FolderMissing",
    "notice FolderUnusable",
    "notice MessageRefused",
    "notice MessageUnverifiable",
    "notice NewIncarnation",
    "notice NoSpace",
    "notice SessionSuperseded",
    "notice StoreFailed",
    "notice Unwritable",
    "published",
    "session open",
    "session sealed",
    "streams compared",
    "went over to another session",
    "work Deliver",
    "work FolderCreate",
    "work FolderFetch",
    "work FolderList",
    "work FolderProbe",
    "work FolderRead",
    "work FolderRemove",
    "work Load",
    "work Save",
];

/// What must happen in stories of file trees that a message folder carries.
const EXPECTED_OF_CARRIED: &[&str] = &[
    "blob collected",
    "carriage brought",
    "carriage doubled",
    "carriage late",
    "carriage placeholder",
    "carriage torn",
    "carriage unheard",
    "work FolderCreate",
    "work FolderFetch",
    "work FolderList",
    "work FolderProbe",
    "work FolderRead",
    "work FolderRemove",
];

/// What must happen in stories of rows.
const EXPECTED_OF_RECORDS: &[&str] = &[
    "ApplyRows failed Other",
    "Save failed NoSpace",
    "Save failed Other",
    "carriage brought",
    "fault delayed",
    "fault jumps_backwards",
    "fault jumps_forwards",
    "fault power_crashes",
    "fault process_crashes",
    "fault saves_failed",
    "fault saves_failed_late",
    "fault saves_undone",
    "fault sleeps",
    "fault work_begun",
    "fault work_untold",
    "member in folder",
    "member linked",
    "member with a database",
    "member without a database",
    "notice ClockSkew",
    "notice NewIncarnation",
    "notice RowRefused",
    "notice StoreFailed",
    "notice Unwritable",
    "operations",
    "rows in the end",
    "rows judged",
    "rows read",
    "table becomes known",
    "work ApplyRows",
    "work Load",
    "work Save",
];

/// The kinds of things that many stories should hold and these do not.
pub fn missing(coverage: &Coverage, genre: Genre, swarm: Swarm) -> Vec<String> {
    let mut expected: Vec<String> = Vec::new();
    match genre {
        Genre::Trees => {
            let acts = ActKind::ALL.into_iter().filter(|kind| swarm.holds(Kind::Act(*kind)));
            expected.extend(acts.map(|kind| format!("act {kind:?}")));
            let troubles = TroubleKind::ALL.into_iter().filter(|kind| swarm.holds(Kind::Trouble(*kind)));
            expected.extend(troubles.map(|kind| format!("trouble {kind:?}")));
            let platforms = PLATFORMS.iter().filter(|_| swarm.holds(Kind::Platforms));
            expected.extend(EXPECTED.iter().chain(platforms).map(ToString::to_string));
        }
        Genre::Carried => expected.extend(EXPECTED_OF_CARRIED.iter().map(ToString::to_string)),
        Genre::Records => {
            let holds = |name: &str| Kind::from_name(name).is_none_or(|kind| swarm.holds(kind));
            let acts = records::ActKind::ALL.iter().map(|kind| format!("{kind:?}"));
            expected.extend(acts.filter(|name| holds(name)).map(|name| format!("act {name}")));
            let troubles = records::TroubleKind::ALL.iter().map(|kind| format!("{kind:?}"));
            expected.extend(troubles.filter(|name| holds(name)).map(|name| format!("trouble {name}")));
            expected.extend(EXPECTED_OF_RECORDS.iter().map(ToString::to_string));
        }
        Genre::Folders => {
            let holds = |name: &str| Kind::from_name(name).is_none_or(|kind| swarm.holds(kind));
            let acts = messages::ActKind::ALL.iter().map(|kind| format!("{kind:?}"));
            expected.extend(acts.filter(|name| holds(name)).map(|name| format!("act {name}")));
            let troubles = messages::TroubleKind::ALL.iter().map(|kind| format!("{kind:?}"));
            expected.extend(troubles.filter(|name| holds(name)).map(|name| format!("trouble {name}")));
            expected.extend(EXPECTED_OF_FOLDERS.iter().map(ToString::to_string));
        }
    }
    expected.retain(|kind| coverage.of(kind) == 0);
    expected
}

/// How much was played and how fast.
pub fn summary(tally: &Tally, jobs: usize) -> String {
    let (runs, events) = (HumanCount(tally.runs), HumanCount(tally.events));
    let (seconds, slowest) = (tally.time.as_secs_f64(), tally.slowest.as_secs_f64());
    let (pace, each) = (tally.pace(), tally.pace() / jobs as f64);
    let event_pace = HumanCount(tally.event_pace() as u64);
    format!(
        "{runs} runs, {events} events in {seconds:.1} s: {pace:.1} runs/s, {each:.1} runs/s per job, \
         {event_pace} events/s, the slowest run {slowest:.2} s"
    )
}

/// A block of counts for each kind of kinds.
pub fn table(coverage: &Coverage) -> String {
    let mut text = String::new();
    let mut last = "";
    for (kind, count) in coverage.counts() {
        let (group, name) = kind.split_once(' ').unwrap_or(("", kind));
        if group != last {
            text += &format!("\n{group}\n");
            last = group;
        }
        text += &format!("{:>16}  {name}\n", HumanCount(count).to_string());
    }
    text
}

/// How often each promise was broken.
pub fn by_invariant(tally: &Tally) -> String {
    let mut counts = Coverage::default();
    tally.broken.iter().for_each(|broken| counts.count(broken.violation.invariant.name()));
    counts.counts().map(|(name, count)| format!("{:>16}  {name}\n", HumanCount(count).to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_happened_is_named() {
        let mut coverage = Coverage::default();
        assert!(missing(&coverage, Genre::Trees, Swarm::default()).contains(&"act Write".to_owned()));
        coverage.count("act Write");
        assert!(!missing(&coverage, Genre::Trees, Swarm::default()).contains(&"act Write".to_owned()));
        let missed = missing(&coverage, Genre::Trees, Swarm::default());
        assert!(missed.contains(&"trouble Crash".to_owned()) && missed.contains(&"platform no_modes".to_owned()));
        let swarm = Swarm::default().without(Kind::Trouble(TroubleKind::Crash)).without(Kind::Platforms);
        let missed = missing(&coverage, Genre::Trees, swarm);
        assert!(!missed.contains(&"trouble Crash".to_owned()) && !missed.contains(&"platform no_modes".to_owned()));
    }
}
