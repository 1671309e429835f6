use proptest::prelude::*;
use serde_bytes::ByteBuf;

use super::*;
use crate::api::UnixMs;
use crate::engine::limits::{
    CREDIT_BYTES_MIN, LANE_QUEUE_BYTES_MAX, MESSAGES_CREDIT_MAX, PIPE_MESSAGE_BYTES_MAX, PIPE_MESSAGE_BYTES_MIN,
};
use crate::link::frame::tests::{frame, hello};
use crate::link::pair::{Pair, config};
use crate::link::{Acknowledgement, Indexing, message_credit};
use crate::log::Heads;

fn packet(lane: Lane, frame: &Frame) -> Vec<u8> {
    frame.encode(vec![Header { lane, last: true }.to_byte()]).unwrap()
}

fn greeting(hello: Hello) -> Vec<u8> {
    packet(Lane::Control, &Frame::Hello(hello))
}

fn heartbeat(byte: u8) -> Frame {
    Frame::Heartbeat { digest: Hash::from_bytes([byte; 32]), unix_ms: UnixMs(u64::from(byte)), echo: None }
}

fn chunk(length: usize) -> Frame {
    Frame::Chunk { content: Hash::from_bytes([1; 32]), offset: 0, bytes: vec![5; length] }
}

fn messages(length: usize) -> Frame {
    Frame::Messages { messages: vec![ByteBuf::from(vec![6; length])] }
}

/// A session whose peer, replica 1, has said hello.
fn met() -> Session {
    let mut session = Session::new(config(2), 1 << 16);
    session.receive(&greeting(hello())).unwrap().unwrap();
    session.next_packet().unwrap();
    session.ready();
    session
}

#[test]
fn both_ends_learn_who_the_other_is() {
    let pair = Pair::open(1 << 16);
    for (end, other) in [(&pair.a, 2), (&pair.b, 1)] {
        let peer = end.session.peer().unwrap();
        assert_eq!(peer.replica, ReplicaId::from_bytes([other; 16]));
        assert_eq!((peer.version, peer.capabilities), (1, 0));
        assert_eq!(end.session.state(), State::Open);
        assert!(end.session.is_idle());
    }
}

#[test]
fn nothing_goes_before_the_peers_hello_and_all_goes_after_it() {
    let mut pair = Pair::new(1 << 16);
    pair.a.session.push(heartbeat(1)).unwrap();
    pair.a.session.push(messages(100)).unwrap();
    assert!(pair.a.send_packet());
    assert!(!pair.a.send_packet());
    pair.run().unwrap();
    assert_eq!(pair.b.heard.len(), 3);
    assert!(matches!(pair.b.heard[0], Frame::Hello(_)));
}

#[test]
fn unacceptable_hellos_close_the_link_with_their_reason() {
    let ours = config(2);
    let group = GroupId::from_bytes([8; 16]);
    let versions = |version_min, version_max| Hello { version_min, version_max, ..hello() };
    let no_common = |their_min, their_max| LinkError::NoCommonVersion { our_min: 1, our_max: 1, their_min, their_max };
    for (hello, error) in [
        (Hello { group, ..hello() }, LinkError::GroupDiffers { ours: ours.group, theirs: group }),
        (Hello { replica: ours.replica, ..hello() }, LinkError::OwnReplica { replica: ours.replica }),
        (versions(2, 9), no_common(2, 9)),
        (versions(0, 0), no_common(0, 0)),
        (versions(5, 1), no_common(5, 1)),
        (
            Hello { credit: 0, ..hello() },
            LinkError::OutOfRange {
                what: "the bytes of credit a hello offers",
                min: CREDIT_BYTES_MIN.into(),
                max: u32::MAX.into(),
                found: 0,
            },
        ),
    ] {
        let mut session = Session::new(ours, 1 << 16);
        assert_eq!(session.receive(&greeting(hello)), Err(error));
        assert_eq!(session.state(), State::Closed);
        assert_eq!(session.next_packet(), None);
        assert_eq!(session.push(heartbeat(0)), Err(LinkError::Closed));
    }
}

#[test]
fn the_newest_common_version_is_used() {
    for (ours, theirs, common) in [
        ((1, 1), (1, 1), Some(1)),
        ((1, 3), (2, 9), Some(3)),
        ((2, 9), (1, 3), Some(3)),
        ((1, 9), (3, 4), Some(4)),
        ((1, 2), (3, 4), None),
        ((3, 4), (1, 2), None),
        ((1, 9), (5, 4), None),
        ((0, u16::MAX), (u16::MAX, u16::MAX), Some(u16::MAX)),
    ] {
        assert_eq!(common_version(ours, theirs), common, "{ours:?} {theirs:?}");
    }
}

#[test]
fn h04_a_peer_that_does_not_begin_with_a_hello_is_refused() {
    for bytes in [
        packet(Lane::Control, &heartbeat(1)),
        packet(Lane::Small, &messages(10)),
        packet(Lane::Bulk, &chunk(10)),
        [&[0], &[0; HELLO_BYTES_MAX + 1][..]].concat(),
    ] {
        let mut session = Session::new(config(2), 1 << 16);
        assert_eq!(session.receive(&bytes), Err(LinkError::HelloMissing));
        assert_eq!(session.receive(&greeting(hello())), Err(LinkError::Closed));
    }
    let mut session = Session::new(config(2), 1 << 16);
    assert_eq!(session.receive(b"GET / HTTP/1.1\r\n"), Err(LinkError::PacketHeader { found: b'G' }));
}

#[test]
fn a_second_hello_is_refused() {
    assert_eq!(met().receive(&greeting(hello())), Err(LinkError::HelloRepeated));
}

#[test]
fn a_frame_on_anothers_lane_is_refused() {
    let mut session = met();
    assert_eq!(
        session.receive(&packet(Lane::Control, &chunk(10))),
        Err(LinkError::FrameOnWrongLane { lane: Lane::Control, belongs: Lane::Bulk })
    );
}

#[test]
fn a_session_sends_hellos_and_credit_by_itself() {
    let mut session = met();
    assert_eq!(session.push(Frame::Hello(hello())), Err(LinkError::FrameReserved));
    assert_eq!(session.push(Frame::Credit { bytes: 1 }), Err(LinkError::FrameReserved));
    assert!(matches!(session.push(chunk(0)), Err(LinkError::OutOfRange { .. })));
    assert_eq!(session.state(), State::Open);
}

#[test]
fn a_large_bulk_frame_delays_control_and_small_by_one_packet() {
    let mut pair = Pair::open(1 << 10);
    pair.a.session.push(chunk(100_000)).unwrap();
    for round in 0..5 {
        pair.step().unwrap();
        pair.a.session.push(messages(200)).unwrap();
        pair.a.session.push(heartbeat(round)).unwrap();
        pair.step().unwrap();
        assert_eq!(pair.b.heard.last(), Some(&heartbeat(round)));
        pair.step().unwrap();
        assert_eq!(pair.b.heard.last(), Some(&messages(200)));
    }
    assert!(pair.b.heard_on(Lane::Bulk).is_empty());
    pair.run().unwrap();
    assert_eq!(pair.b.heard_on(Lane::Bulk), [&chunk(100_000)]);
}

#[test]
fn what_a_slow_pipe_keeps_waiting_on_the_control_lane_is_said_once() {
    let mut session = met();
    let author = ReplicaId::from_bytes([9; 16]);
    let upto = |counter| {
        let mut heads = Heads::default();
        for counter in 1..=counter {
            heads.insert(author, counter);
        }
        heads
    };
    let before = session.queued_bytes(Lane::Control);
    for counter in 1..100 {
        session.push(heartbeat(counter as u8)).unwrap();
        session
            .push(Frame::Heads {
                heads: upto(counter),
                digest: Hash::from_bytes([0; 32]),
                indexing: Indexing::Underway,
            })
            .unwrap();
        for kind in [Acknowledgement::Received, Acknowledgement::Applied] {
            session.push(Frame::Acknowledge { kind, heads: upto(counter) }).unwrap();
        }
    }
    assert!(session.queued_bytes(Lane::Control) - before < 200);
    let mut heard = Vec::new();
    while let Some(packet) = session.next_packet() {
        heard.push(Frame::decode(&packet[1..]).unwrap());
    }
    assert_eq!(
        heard,
        [
            heartbeat(99),
            Frame::Heads { heads: upto(99), digest: Hash::from_bytes([0; 32]), indexing: Indexing::Underway },
            Frame::Acknowledge { kind: Acknowledgement::Received, heads: upto(99) },
            Frame::Acknowledge { kind: Acknowledgement::Applied, heads: upto(99) },
        ]
    );
    assert_eq!(session.queued_bytes(Lane::Control), 0);
}

#[test]
fn the_window_caps_what_is_in_the_hosts_buffer() {
    let mut session = met();
    for _ in 0..20 {
        session.push(chunk(1 << 20)).unwrap();
    }
    assert!(!session.has_room(Lane::Bulk));
    let total = session.queued_bytes(Lane::Bulk);
    let mut sent = 0;
    let mut windows = 0;
    while sent < total {
        windows += 1;
        let mut outstanding = 0;
        while let Some(packet) = session.next_packet() {
            outstanding += packet.len();
            sent += packet.len() as u64 - 1;
        }
        assert!(outstanding <= LINK_WINDOW_BYTES && !session.is_idle());
        session.ready();
    }
    assert_eq!((sent, windows), (total, 6));
    assert!(session.is_idle() && session.has_room(Lane::Bulk));
}

#[test]
fn a_peer_that_asks_and_does_not_read_is_closed() {
    let mut session = met();
    let absent = |offset| Frame::Absent { content: Hash::from_bytes([1; 32]), offset: Some(offset) };
    let (accepted, error) = (0..).find_map(|at| session.push(absent(at)).err().map(|error| (at, error))).unwrap();
    assert_eq!(error, LinkError::QueueFull { lane: Lane::Small, limit: LANE_QUEUE_BYTES_MAX });
    // All that two full lists of the engine's can be answered with fits.
    assert!(accepted > 2 * 65_536, "{accepted}");
    assert_eq!(session.state(), State::Closed);
    assert_eq!(session.next_packet(), None);
}

#[test]
fn messages_wait_for_credit_and_let_others_pass() {
    let mut pair = Pair::open(1 << 20);
    pair.b.saves = false;
    let frame = messages(MESSAGES_CREDIT_MAX / 2 - 64);
    for _ in 0..5 {
        pair.a.session.push(frame.clone()).unwrap();
    }
    let want = Frame::WantManifest { contents: vec![Hash::from_bytes([1; 32])] };
    pair.a.session.push(want.clone()).unwrap();
    assert_eq!(pair.a.session.message_credit(), 0);
    pair.run().unwrap();
    // Four frames are the offer.
    assert_eq!(pair.b.heard_on(Lane::Small), [&frame, &frame, &frame, &frame, &want]);
    let credit = message_credit(MESSAGES_CREDIT_MAX / 2 - 64);
    assert_eq!(pair.b.session.unsaved_credit(), 4 * credit);
    assert_eq!(pair.a.session.queued_bytes(Lane::Small), credit);

    pair.b.session.saved(credit);
    pair.run().unwrap();
    assert_eq!(pair.b.heard_on(Lane::Small).len(), 5);
    pair.b.session.saved(credit);
    pair.run().unwrap();
    assert_eq!(pair.b.heard_on(Lane::Small).len(), 6);
    assert_eq!(pair.a.session.message_credit(), credit);
}

#[test]
fn a_peer_that_exceeds_its_credit_is_refused() {
    let mut session = met();
    let frame = messages(MESSAGES_CREDIT_MAX / 2 - 64);
    for _ in 0..4 {
        session.receive(&packet(Lane::Small, &frame)).unwrap().unwrap();
    }
    assert_eq!(
        session.receive(&packet(Lane::Small, &messages(1))),
        Err(LinkError::CreditExceeded { granted: 0, found: 65 })
    );
}

#[test]
fn saving_more_than_was_received_grants_nothing() {
    let mut session = met();
    session.saved(u64::MAX);
    assert!(session.is_idle());
}

#[test]
fn h06_any_size_a_host_claims_for_its_pipe_works() {
    for size in [0, 1, PIPE_MESSAGE_BYTES_MIN as u32, u32::MAX] {
        let mut pair = Pair::open(size);
        pair.a.session.push(chunk(10_000)).unwrap();
        pair.run().unwrap();
        assert_eq!(pair.b.heard_on(Lane::Bulk), [&chunk(10_000)]);
    }
}

#[test]
fn h04_frames_that_never_end_are_held_within_the_lanes_limits() {
    let mut session = met();
    let mut part = vec![9; 1 << 20];
    let error = (0..200u32)
        .find_map(|round| {
            part[0] = (round % 3) as u8;
            let result = session.receive(&part);
            assert!(session.held_bytes() <= Lane::ALL.iter().map(|lane| lane.frame_bytes_max()).sum());
            result.err()
        })
        .unwrap();
    assert!(matches!(error, LinkError::FrameTooLong { .. }));
    assert_eq!(session.held_bytes(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn frames_cross_pipes_of_every_size_in_the_order_of_their_lanes(
        frames in prop::collection::vec(frame(), 1..8),
        size in prop_oneof![
            Just(PIPE_MESSAGE_BYTES_MIN as u32),
            PIPE_MESSAGE_BYTES_MIN as u32..20_000,
            20_000..PIPE_MESSAGE_BYTES_MAX as u32,
            Just(PIPE_MESSAGE_BYTES_MAX as u32),
        ],
    ) {
        let mut pair = Pair::open(size);
        // One at a time on the control lane, where waiting frames join.
        for frame in &frames {
            pair.a.session.push(frame.clone()).unwrap();
            if frame.lane() == Lane::Control {
                pair.run().unwrap();
            }
        }
        pair.run().unwrap();
        for lane in Lane::ALL {
            let sent: Vec<_> = frames.iter().filter(|frame| frame.lane() == lane).collect();
            prop_assert_eq!(pair.b.heard_on(lane), sent);
        }
        prop_assert!(pair.a.session.is_idle() && pair.b.session.is_idle());
        prop_assert_eq!(pair.b.session.held_bytes(), 0);
    }

    #[test]
    fn messages_in_both_directions_neither_stall_nor_exceed_credit(
        lengths in prop::collection::vec((any::<bool>(), 1..=1_048_576usize), 1..30),
        size in 10_000..PIPE_MESSAGE_BYTES_MAX as u32,
    ) {
        let mut pair = Pair::open(size);
        let mut sent = [0, 0];
        for (from_a, length) in lengths {
            let end = if from_a { &mut pair.a } else { &mut pair.b };
            end.session.push(messages(length)).unwrap();
            sent[usize::from(from_a)] += 1;
        }
        pair.run().unwrap();
        prop_assert_eq!(pair.b.heard_on(Lane::Small).len(), sent[1]);
        prop_assert_eq!(pair.a.heard_on(Lane::Small).len(), sent[0]);
    }

    #[test]
    fn h04_hostile_packets_never_panic_and_close_once(
        greeted in any::<bool>(),
        packets in prop::collection::vec((0..8u8, prop::collection::vec(any::<u8>(), 0..400)), 1..20),
    ) {
        let mut session = if greeted { met() } else { Session::new(config(2), 1 << 16) };
        let mut received = 0;
        for (header, mut packet) in packets {
            packet.insert(0, header);
            received += packet.len();
            if session.receive(&packet).is_err() {
                prop_assert_eq!(session.state(), State::Closed);
                prop_assert_eq!(session.receive(&packet), Err(LinkError::Closed));
            }
            prop_assert!(session.held_bytes() <= received);
            let _ = session.next_packet();
        }
    }

    #[test]
    fn h04_a_packet_damaged_on_the_way_never_panics(
        frames in prop::collection::vec(frame(), 1..4),
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let mut pair = Pair::open(2_000);
        for frame in frames {
            pair.a.session.push(frame).unwrap();
        }
        while pair.a.send_packet() {
            pair.a.session.ready();
        }
        let packet = at.get_mut(pair.a.pipe.make_contiguous());
        let place = at.index(packet.len());
        packet[place] ^= 1 << bit;
        while matches!(pair.b.receive_packet(&mut pair.a.pipe), Ok(true)) {}
    }

    /// The two ends send, receive and save whenever they come to it, over pipes of two sizes.
    #[test]
    fn in_any_schedule_frames_keep_their_lanes_order_and_credit_its_bounds(
        frames in prop::collection::vec((any::<bool>(), 0..4u8, 1..600_000usize), 1..16),
        steps in prop::collection::vec((any::<bool>(), 0..5u8), 0..200),
        sizes in (256..3_000_000u32, 256..3_000_000u32),
    ) {
        let mut pair = Pair::between(Session::new(config(1), sizes.0), Session::new(config(2), sizes.1));
        pair.run().unwrap();
        (pair.a.saves, pair.b.saves) = (false, false);
        let mut waiting: [Vec<Frame>; 2] = Default::default();
        for (from_a, kind, length) in frames {
            let frame = match kind {
                0 | 1 => messages(length),
                2 => chunk(length),
                _ => Frame::WantManifest { contents: vec![Hash::from_bytes([length as u8; 32])] },
            };
            waiting[usize::from(from_a)].push(frame);
        }
        let mut sent: [Vec<Frame>; 2] = Default::default();
        // What comes after the schedule brings all to its end.
        let rest = (0..).flat_map(|_| [true, false].into_iter().flat_map(|a| (0..5).map(move |act| (a, act))));
        let mut idle = 0;
        let scheduled = steps.len();
        for (number, (from_a, act)) in steps.into_iter().chain(rest).enumerate() {
            let (own, other) = if from_a { (&mut pair.a, &mut pair.b) } else { (&mut pair.b, &mut pair.a) };
            let moved = match act {
                0 => match waiting[usize::from(from_a)].pop() {
                    Some(frame) => { own.session.push(frame.clone()).unwrap(); sent[usize::from(from_a)].push(frame); true }
                    None => false,
                },
                1 => own.send_packet(),
                2 => own.receive_packet(&mut other.pipe).unwrap(),
                3 => {
                    let unsaved = own.session.unsaved_credit();
                    own.session.saved(unsaved.div_ceil(2));
                    unsaved > 0
                }
                _ => { if own.pipe.is_empty() { own.session.ready(); } false }
            };
            for end in [&pair.a, &pair.b] {
                prop_assert!(end.session.message_credit() <= u64::from(CREDIT_BYTES_MIN));
                prop_assert!(end.session.unsaved_credit() <= u64::from(CREDIT_BYTES_MIN));
            }
            idle = if moved || number < scheduled { 0 } else { idle + 1 };
            if idle > 30 { break; }
        }
        for (own, other, sent) in [(&pair.a, &pair.b, &sent[1]), (&pair.b, &pair.a, &sent[0])] {
            for lane in [Lane::Small, Lane::Bulk] {
                prop_assert_eq!(other.heard_on(lane), sent.iter().filter(|frame| frame.lane() == lane).collect::<Vec<_>>());
            }
            prop_assert!(own.session.is_idle() && own.session.held_bytes() == 0);
            prop_assert_eq!(own.session.unsaved_credit(), 0);
            // Less than half of the offer is kept back for a larger grant.
            prop_assert!(own.session.message_credit() > u64::from(CREDIT_BYTES_MIN / 2));
        }
    }
}

#[test]
fn a_heartbeat_from_rest_leaves_a_link_idle_and_nothing_else_does() {
    let mut session = met();
    session.push(heartbeat(1)).unwrap();
    assert!(session.is_idle() && !session.is_drained());
    assert!(session.next_packet().is_some());
    assert!(session.is_idle() && !session.is_drained());
    session.push(messages(10)).unwrap();
    assert!(!session.is_idle());
    assert!(session.next_packet().is_some());
    session.push(heartbeat(2)).unwrap();
    assert!(!session.is_idle());
    assert!(session.next_packet().is_some());
    session.ready();
    assert!(session.is_idle() && session.is_drained());
    // Messages that wait for credit are not done by one either.
    session.push(messages(10)).unwrap();
    session.push(heartbeat(3)).unwrap();
    session.push(heartbeat(4)).unwrap();
    assert!(!session.is_idle());
}
