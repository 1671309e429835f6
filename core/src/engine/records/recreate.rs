//! Rows whose creation is void (§5.3), though this device wrote to them: they are made anew with what was written, for it was
//! seen by whoever wrote it, and nobody may take it back but who wrote it.

use serde_bytes::ByteBuf;

use super::mend::Step;
use super::{Records, now_ns};
use crate::api::{Method, Pair};
use crate::engine::Engine;
use crate::planted::{Planted, planted};
use crate::records::{OperationsBuilder, Row, RowId};

impl Engine {
    /// A page of rows: those that are to be made anew are, in a message.
    pub(super) fn recreate(&mut self, pairs: &[Pair], more: bool) {
        let (records, shared) = (&mut self.records, &mut self.shared);
        records.begin_step();
        let Some(clock) = &mut records.clock else { return };
        let (mut builder, now) = (OperationsBuilder::new(), now_ns(shared.now));
        for pair in pairs {
            let (id, row) = (RowId::parse(&pair.key), Row::from_stored(&pair.value));
            let (Some(name), Some(row)) = (id, row) else { return Records::lost(shared) };
            let is_own = |replica| shared.log.is_by_this_device(replica);
            if records.mode.sends()
                && name.owner.is_empty()
                && row.waits_for_creation(is_own)
                && !planted(Planted::NotRecreated)
                && let Ok(at) = clock.next_ns(now)
            {
                builder.push(&name.table, &name.key, Method::SharedCreate, &[], at);
            }
        }
        let next = pairs.last().filter(|_| more).map(|last| [last.key.as_slice(), &[0]].concat());
        self.write_unasked(builder);
        let step = next.map_or(Step::Reissue, |next| Step::Recreate(ByteBuf::from(next)));
        self.records.end_step(&mut self.shared, step);
    }
}
