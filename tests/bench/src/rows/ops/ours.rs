//! Our side: rows in memory, operations in signed messages.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow, bail};
use syncline_core::api::{GroupConfig, GroupId, Method, PropertyValue, ReplicaId, RowStamp, UnixMs};
use syncline_core::clock::{Clock, stamp_id};
use syncline_core::crypto::Identity;
use syncline_core::log::{Entry, Log, Receipt};
use syncline_core::records::{OperationsBuilder, Row};

use super::data::Update;

/// The table that all updates are of.
pub const TABLE: &str = "items";
/// The property that they write.
pub const PROPERTY: &str = "value";

/// Rows by their keys, as the peers' maps are.
pub type Rows = HashMap<Vec<u8>, Row>;

/// The group that all replicas are of.
pub fn group() -> GroupConfig {
    GroupConfig { id: GroupId::from_bytes([7; 16]), key: vec![7; 32], founder: None }
}

/// A device that has written nothing.
///
/// # Errors
/// None that can be.
pub fn log(number: u8) -> Result<Log> {
    let identity = Identity::from_secret(&[number; 32]).map_err(|error| anyhow!("{error}"))?;
    let mut log = Log::new(&group(), identity).map_err(|error| anyhow!("{error}"))?;
    log.begin(ReplicaId::from_bytes([number; 16]));
    Ok(log)
}

/// What an update writes.
pub fn values(update: &Update) -> [PropertyValue; 1] {
    let value = postcard::to_allocvec(&update.number).expect("a number has bytes");
    [PropertyValue { property: PROPERTY.to_owned(), value }]
}

/// Makes updates: each is stamped by a clock that is read for it, merged into the writer's own rows, and added to the
/// batch; the batch is encoded and signed as one message at the end, which comes back with the rows.
///
/// # Errors
/// The batch does not fit into a message.
pub fn generate(number: u8, updates: &[Update]) -> Result<(Vec<u8>, Rows)> {
    let mut log = log(number)?;
    let replica = ReplicaId::from_bytes([number; 16]);
    let mut clock = Clock::new(stamp_id(replica).expect("the id is not nil"));
    let mut rows: Rows = Rows::new();
    let mut builder = OperationsBuilder::new();
    for update in updates {
        let unix_ns = clock.next_ns(unix_ns())?;
        let values = values(update);
        rows.entry(update.key.clone().into_bytes()).or_default().write(
            Method::SharedUpdate,
            &values,
            RowStamp { unix_ns, replica },
        );
        builder.push(TABLE, update.key.as_bytes(), Method::SharedUpdate, &values, unix_ns);
    }
    let sealed = log.compose(UnixMs(1), vec![Entry::Records(builder.finish())], "bench")?;
    Ok((sealed.bytes, rows))
}

/// Merges messages as they come from peers into a fresh replica: each is decoded, held against its only form, checked
/// whole, its author's signature verified; then its operations are merged into rows by their keys.
///
/// # Errors
/// A message that is refused.
pub fn merge(messages: &[Vec<u8>]) -> Result<Rows> {
    let mut log = log(200)?;
    let mut rows: Rows = Rows::new();
    for bytes in messages {
        let messages = match log.receive(bytes) {
            Receipt::Accepted { messages, .. } => messages,
            other => bail!("expected that the message is accepted, found {other:?}"),
        };
        for message in messages.iter().map(|sealed| &sealed.message) {
            for operations in message.operations() {
                operations.open()?.walk_rows(message.author, |operations| {
                    let Some(first) = operations.first() else { return };
                    let row = rows.entry(first.key.to_vec()).or_default();
                    for operation in operations {
                        row.apply(operation);
                    }
                });
            }
        }
    }
    Ok(rows)
}

/// The end of this millisecond, as an engine has it from its host.
fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX).saturating_mul(1_000_000).saturating_add(999_999)
}

/// A message of updates behind a first one, which has the introduction.
///
/// # Errors
/// The batch does not fit into a message.
pub fn later_message(first: &Update, updates: &[Update]) -> Result<Vec<u8>> {
    let mut log = log(1)?;
    let mut compose = |updates: &[Update]| -> Result<Vec<u8>> {
        let mut builder = OperationsBuilder::new();
        for (step, update) in (0u64..).zip(updates) {
            // People write a few updates a second, no two a whole number of milliseconds apart.
            let at = 1_700_000_000_000_000_000 + step * 234_567_891 + step * step;
            builder.push(TABLE, update.key.as_bytes(), Method::SharedUpdate, &values(update), at);
        }
        Ok(log.compose(UnixMs(1_700_000_000_000), vec![Entry::Records(builder.finish())], "bench")?.bytes)
    };
    compose(std::slice::from_ref(first))?;
    compose(updates)
}
