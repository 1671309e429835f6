//! Every promise in a sentence, for those who read that it is broken.

use super::Invariant;

impl Invariant {
    /// What is promised.
    pub fn promise(self) -> &'static str {
        match self {
            Invariant::NoLoss => {
                "Every version that someone made stands, or was replaced by someone who had been shown it."
            }
            Invariant::Convergence => "When all devices know the same, all folders hold the same.",
            Invariant::Quiescence => "When troubles end, the group comes to rest, and then does nothing.",
            Invariant::NoResurrection => "What was deleted stands again only if someone makes it anew.",
            Invariant::Evidence => "A deletion is told only of what was found missing twice, a debounce apart.",
            Invariant::NoFalseConflict => "A conflict copy stands only beside a version that does not derive from it.",
            Invariant::Idempotency => "No number is used twice, and no device takes back what it said that it holds.",
            Invariant::CrashSafety => "Whatever a crash leaves, nothing is told that was not saved.",
            Invariant::Bounds => "Work, memory and time follow limits and real data.",
            Invariant::Containment => "No work names a path outside the folder, or Syncline's own files in it.",
            Invariant::Authority => "State comes only from messages that their authors wrote.",
            Invariant::NoPanic => "The engine never panics.",
        }
    }
}
