//! What a hostile peer can make a link allocate, counted by the allocator itself. One test only: the count is the whole
//! process's.

use peak_alloc::PeakAlloc;
use serde_bytes::ByteBuf;
use syncline_core::api::{GroupId, Hash, ReplicaId};
use syncline_core::engine::limits::{CREDIT_BYTES, PIPE_MESSAGE_BYTES_MAX};
use syncline_core::link::{Frame, Hello, Lane, Session, SessionConfig, State};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What a refusal may cost beside the bytes received: error texts, empty queues.
const SLACK: usize = 16 << 10;

const LAST: u8 = 0b100;

fn session() -> Session {
    let config = SessionConfig {
        group: GroupId::from_bytes([7; 16]),
        replica: ReplicaId::from_bytes([2; 16]),
        digest: Hash::from_bytes([0; 32]),
        credit: CREDIT_BYTES,
    };
    let mut session = Session::new(config, PIPE_MESSAGE_BYTES_MAX as u32);
    let hello = Hello {
        version_min: 1,
        version_max: 1,
        group: config.group,
        replica: ReplicaId::from_bytes([1; 16]),
        capabilities: 0,
        credit: CREDIT_BYTES,
        digest: config.digest,
    };
    session.receive(&Frame::Hello(hello).encode(vec![LAST]).unwrap()).unwrap().unwrap();
    session
}

/// The most that was allocated at once, beyond what was before, while `session` took the packet.
fn cost(session: &mut Session, packet: &[u8]) -> (usize, bool) {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let accepted = session.receive(packet).is_ok();
    (ALLOCATOR.peak_usage().saturating_sub(before), accepted)
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn claims_of_lengths_and_counts_allocate_nothing() {
    let hash = [3; 32];
    for claim in [1 << 16, 1 << 31, 1 << 32, 1 << 60, u64::MAX] {
        for (lane, front) in [
            (Lane::Control, vec![1]),                          // heads: authors
            (Lane::Control, [&[1, 1][..], &[9; 16]].concat()), // heads: intervals
            (Lane::Small, vec![2]),                            // messages: how many
            (Lane::Small, vec![2, 1]),                         // messages: the first one's length
            (Lane::Control, vec![3, 1]),                       // acknowledgement: authors
            (Lane::Small, vec![4]),                            // wanted manifests
            (Lane::Bulk, [&[5], &hash[..]].concat()),          // a manifest's length
            (Lane::Small, vec![6]),                            // wanted chunks
            (Lane::Bulk, [&[7], &hash[..], &[0]].concat()),    // a chunk's length
        ] {
            let mut packet = vec![lane as u8 | LAST];
            packet.extend(&front);
            packet.extend(varint(claim));
            packet.extend([1; 200]);
            let (cost, accepted) = cost(&mut session(), &packet);
            assert!(!accepted && cost < SLACK, "{front:?} claiming {claim} cost {cost}");
        }
    }
}

fn frames_that_never_end_cost_a_small_multiple_of_what_was_received() {
    for lane in Lane::ALL {
        let mut session = session();
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        let mut packet = vec![9; 60_000];
        packet[0] = lane as u8;
        let mut received = 0;
        while session.state() == State::Open {
            received += packet.len();
            let _ = session.receive(&packet);
        }
        let cost = ALLOCATOR.peak_usage().saturating_sub(before);
        // A growing buffer is moved to one of twice its length: three times, while both are there.
        assert!(received < lane.frame_bytes_max() + 2 * packet.len());
        assert!(cost <= 3 * received + SLACK, "{lane}: {received} bytes cost {cost}");
        assert!(ALLOCATOR.current_usage().saturating_sub(before) < packet.len() + SLACK);
    }
}

fn tiny_elements_cost_a_small_multiple() {
    let tiny = Frame::Messages { messages: vec![ByteBuf::from([1]); 30_000] };
    let packet = tiny.encode(vec![Lane::Small as u8 | LAST]).unwrap();
    let (messages, accepted) = cost(&mut session(), &packet);
    assert!(accepted && messages < 3 << 20, "{messages}");

    let mut packet = vec![Lane::Small as u8 | LAST, 2];
    packet.extend(varint(2_000_000));
    packet.resize(packet.len() + 2_000_000, 0);
    let (empty, accepted) = cost(&mut session(), &packet);
    assert!(!accepted && empty < 3 << 20, "{empty}");

    // One author, a gap behind every second counter: two bytes an interval at best, 16 in memory.
    let mut packet = vec![Lane::Control as u8 | LAST, 1, 1];
    packet.extend([9; 16]);
    packet.extend(varint(60));
    packet.extend((0..60u8).flat_map(|number| [1 + number * 2; 2]));
    packet.extend([0; 32]); // the digest
    packet.push(1); // indexed
    let (heads, accepted) = cost(&mut session(), &packet);
    assert!(accepted && heads < SLACK, "{heads}");
}

#[test]
fn h02_h04_memory_follows_the_bytes_received_and_no_number_a_peer_sent() {
    claims_of_lengths_and_counts_allocate_nothing();
    frames_that_never_end_cost_a_small_multiple_of_what_was_received();
    tiny_elements_cost_a_small_multiple();
}
