//! What devices had seen before they said that something is deleted (§8.6).

use std::collections::BTreeMap;

use syncline_core::api::{Failure, Now, ProbeResult};

use super::{Invariant, Violation, broken, versions::family};

/// What probes found at the paths of every device.
#[derive(Default)]
pub(super) struct Deletions {
    /// How long a path must have been missing, in milliseconds.
    pub debounce_ms: u64,
    paths: BTreeMap<(usize, String), Looks>,
}

#[derive(Default)]
struct Looks {
    /// When it was found missing first, by the device's monotonic clock.
    missing_since: Option<u64>,
    /// It was missing twice, a debounce apart, and no deletion rests on that yet.
    confirmed: bool,
}

impl Deletions {
    /// A device looked at paths.
    pub fn probed(&mut self, site: usize, now: Now, paths: &[String], results: &[ProbeResult], marker: bool) {
        for (path, result) in paths.iter().zip(results) {
            let looks = self.paths.entry((site, path.clone())).or_default();
            let missing = marker && matches!(result, ProbeResult::Failed { failure: Failure::Missing });
            let now = now.monotonic.0;
            looks.missing_since = match looks.missing_since.filter(|since| missing && *since <= now) {
                Some(since) => {
                    looks.confirmed |= now - since >= self.debounce_ms;
                    Some(since)
                }
                None => missing.then_some(now),
            };
        }
    }

    /// A device wrote that something with this plain path is deleted.
    pub fn check(&mut self, site: usize, plain: &str) -> Result<(), Violation> {
        let paths = self.paths.range_mut((site, String::new())..).take_while(|((of, _), _)| *of == site);
        let mut evidence = paths.filter(|((_, path), looks)| looks.confirmed && family(path) == family(plain));
        match evidence.next() {
            Some((_, looks)) => {
                looks.confirmed = false;
                Ok(())
            }
            None => broken(
                Invariant::Evidence,
                format!("device {site} deleted `{plain}` for all and had not found it missing twice"),
            ),
        }
    }
}
