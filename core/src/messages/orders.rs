//! A set of messages by their order, for as many as there can be.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::api::{ReplicaId, UnixMs};
use crate::clock::MessageOrder;

/// How many messages a block has at most.
const BLOCK_MESSAGES_MAX: usize = 128;

/// By how many bytes a block grows at least: about four messages.
const GROWTH_BYTES: usize = 32;

/// Messages in their order. Messages of one author cost about seven bytes each, of many in turn about ten: what a member
/// who keeps silent leaves unstable can be all that there is.
///
/// Adding one at the end costs a look into a map, elsewhere a block's messages besides.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    /// By the first message of each.
    blocks: BTreeMap<MessageOrder, Block>,
    /// Authors are written as numbers. None is forgotten: there are few.
    authors: Vec<ReplicaId>,
    numbers: BTreeMap<ReplicaId, u32>,
}

/// Messages behind each other, the first one left out.
#[derive(Debug, Clone)]
struct Block {
    last: MessageOrder,
    count: usize,
    /// For each message by what it differs from the one before: lamport, time, the author's number, counter.
    bytes: Vec<u8>,
}

impl Orders {
    /// Adds a message; nothing if it is in the set.
    pub fn insert(&mut self, order: MessageOrder) {
        let author = self.number(order.author);
        // Below the first block's first message, that block takes it all the same.
        let found = self.blocks.range(..=order).next_back().or_else(|| self.blocks.iter().next());
        let first = found.map_or(order, |(first, _)| *first);
        match self.blocks.get_mut(&first) {
            Some(block) if order <= block.last => self.insert_within(first, order),
            Some(block) if block.count < BLOCK_MESSAGES_MAX => block.push(order, author),
            _ => drop(self.blocks.insert(order, Block::new(order))),
        }
    }

    /// Takes out messages up to this one, ascending: the lowest of them, as many as lie together. None if there is none.
    pub fn take_until(&mut self, bound: MessageOrder) -> Vec<MessageOrder> {
        let Some((first, block)) = self.blocks.pop_first() else { return Vec::new() };
        if bound < first {
            self.blocks.insert(first, block);
            return Vec::new();
        }
        let mut taken = self.messages(first, &block);
        let rest = taken.split_off(taken.partition_point(|order| *order <= bound));
        self.put(&rest);
        taken
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    fn insert_within(&mut self, first: MessageOrder, order: MessageOrder) {
        let Some(block) = self.blocks.remove(&first) else { return };
        let mut messages = self.messages(first, &block);
        if let Err(at) = messages.binary_search(&order) {
            messages.insert(at, order);
        }
        let parts = messages.len().div_ceil(BLOCK_MESSAGES_MAX);
        messages.chunks(messages.len().div_ceil(parts)).for_each(|messages| self.put(messages));
    }

    fn put(&mut self, messages: &[MessageOrder]) {
        let Some((first, rest)) = messages.split_first() else { return };
        let mut block = Block::new(*first);
        for order in rest {
            block.push(*order, self.number(order.author));
        }
        block.bytes.shrink_to_fit();
        self.blocks.insert(*first, block);
    }

    fn messages(&self, first: MessageOrder, block: &Block) -> Vec<MessageOrder> {
        let mut bytes = block.bytes.as_slice();
        let mut last = first;
        let mut messages = Vec::with_capacity(block.count.saturating_add(1));
        messages.push(first);
        while let Ok(((lamport, unix_ms, author, counter), rest)) =
            postcard::take_from_bytes::<(u64, i64, u32, i64)>(bytes)
        {
            let Some(author) = usize::try_from(author).ok().and_then(|at| self.authors.get(at)) else { break };
            last = MessageOrder {
                lamport: last.lamport.wrapping_add(lamport),
                unix_ms: UnixMs(last.unix_ms.0.wrapping_add_signed(unix_ms)),
                author: *author,
                counter: last.counter.wrapping_add_signed(counter),
            };
            messages.push(last);
            bytes = rest;
        }
        messages
    }

    fn number(&mut self, author: ReplicaId) -> u32 {
        let next = u32::try_from(self.authors.len()).unwrap_or(u32::MAX);
        let authors = &mut self.authors;
        *self.numbers.entry(author).or_insert_with(|| {
            authors.push(author);
            next
        })
    }
}

impl Block {
    fn new(only: MessageOrder) -> Block {
        Block { last: only, count: 1, bytes: Vec::new() }
    }

    fn push(&mut self, order: MessageOrder, author: u32) {
        let entry = (
            order.lamport.wrapping_sub(self.last.lamport),
            order.unix_ms.0.wrapping_sub(self.last.unix_ms.0).cast_signed(),
            author,
            order.counter.wrapping_sub(self.last.counter).cast_signed(),
        );
        // Four numbers have at most 35 bytes, so that this always succeeds.
        if let Ok(entry) = postcard::to_slice(&entry, &mut [0; 35]) {
            if self.bytes.capacity() < self.bytes.len().saturating_add(entry.len()) {
                self.bytes.reserve_exact(GROWTH_BYTES.max(entry.len()));
            }
            self.bytes.extend_from_slice(entry);
            self.last = order;
            self.count = self.count.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn order(lamport: u64, unix_ms: u64, author: u8, counter: u64) -> MessageOrder {
        MessageOrder { lamport, unix_ms: UnixMs(unix_ms), author: ReplicaId::from_bytes([author; 16]), counter }
    }

    /// Numbers that are often equal, and the ends of the range.
    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![4 => 0..40u64, 1 => Just(u64::MAX)]
    }

    fn orders() -> impl Strategy<Value = MessageOrder> {
        (number(), 0..3u64, 0..3u8, number())
            .prop_map(|(lamport, unix_ms, author, counter)| order(lamport, unix_ms, author, counter))
    }

    proptest! {
        #[test]
        fn agree_with_a_plain_set(
            acts in prop::collection::vec((orders(), prop::bool::weighted(0.05)), 0..600),
        ) {
            let (mut ours, mut plain) = (Orders::default(), BTreeSet::new());
            for (order, takes) in acts {
                if !takes {
                    ours.insert(order);
                    plain.insert(order);
                    continue;
                }
                let mut taken = Vec::new();
                while let more @ [_, ..] = ours.take_until(order).as_slice() {
                    taken.extend_from_slice(more);
                }
                let rest = plain.split_off(&order);
                let mut expected: Vec<MessageOrder> = core::mem::replace(&mut plain, rest).into_iter().collect();
                expected.extend(plain.take(&order));
                prop_assert_eq!(taken, expected);
            }
            let left = ours.blocks.iter().flat_map(|(first, block)| {
                let messages = ours.messages(*first, block);
                assert!(messages.last() == Some(&block.last) && messages.len() == block.count);
                assert!(block.count <= BLOCK_MESSAGES_MAX);
                messages
            });
            prop_assert_eq!(left.collect::<Vec<_>>(), plain.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn many_messages_cost_few_bytes_each() {
        let cost = |orders: &Orders| orders.blocks.values().map(|block| block.bytes.capacity()).sum::<usize>();
        let mut one = Orders::default();
        (1..=10_000).for_each(|at| one.insert(order(at, 1_700_000_000_000 + at * 1_000, 1, at)));
        assert!(cost(&one) < 60_000 && one.blocks.len() == 79, "{}", cost(&one));
        // From the store they come author by author.
        let mut many = Orders::default();
        for author in 0..10 {
            (0..1_000).for_each(|at| {
                let place = at * 10 + u64::from(author);
                many.insert(order(place, 1_700_000_000_000 + place * 1_000, author, at));
            });
        }
        assert!(cost(&many) < 80_000 && many.blocks.len() < 160, "{} {}", cost(&many), many.blocks.len());
    }
}
