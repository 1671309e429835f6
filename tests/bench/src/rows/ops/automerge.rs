//! The same with `automerge`: keys of the root, for the sizes alone.

use anyhow::{Context, Result};
use automerge::transaction::Transactable;
use automerge::{ActorId, AutoCommit, ROOT};

use super::data::Update;

/// The bytes of a document with all updates: of one change each, or of one change in all.
///
/// # Errors
/// None that is expected.
pub fn save(updates: &[Update], change_each: bool) -> Result<usize> {
    let mut doc = document();
    for update in updates {
        doc.put(ROOT, update.key.as_str(), i64::from(update.number))?;
        if change_each {
            doc.commit();
        }
    }
    Ok(doc.save().len())
}

/// The bytes of one change with one update, behind another one.
///
/// # Errors
/// None that is expected.
pub fn change(first: &Update, second: &Update) -> Result<usize> {
    let mut doc = document();
    for update in [first, second] {
        doc.put(ROOT, update.key.as_str(), i64::from(update.number))?;
        doc.commit();
    }
    let change = doc.get_last_local_change().context("a change was made")?;
    Ok(change.raw_bytes().len())
}

fn document() -> AutoCommit {
    AutoCommit::new().with_actor(ActorId::from([9; 16]))
}
