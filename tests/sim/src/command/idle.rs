//! Whether each promise's check is needed: without it, some planted fault lives.

use syncline_core::planted::Planted;
use syncline_sim::Invariant;

use super::crew::is_interrupted;
use super::mutants::{Hunted, Hunter};

/// What a promise's check is good for.
#[derive(Debug, Clone)]
pub struct Need {
    /// The promise.
    pub invariant: Invariant,
    /// How many of the faults broke it.
    pub breakers: usize,
    /// A fault that lives when it is not checked; none if all are found by other checks.
    pub lives: Option<Planted>,
}

/// Looks for a fault that only this promise's check finds: those that broke least else are tried first.
pub fn need(hunter: &mut Hunter, hunted: &[Hunted], invariant: Invariant) -> Need {
    let mut breakers: Vec<&Hunted> = hunted.iter().filter(|hunted| hunted.by.contains_key(&invariant)).collect();
    breakers.sort_by_key(|hunted| hunted.by.len());
    let lives = breakers.iter().find(|hunted| {
        !is_interrupted() && hunter.hunt_without(hunted.fault, invariant).found.is_none() && !is_interrupted()
    });
    Need { invariant, breakers: breakers.len(), lives: lives.map(|hunted| hunted.fault) }
}
