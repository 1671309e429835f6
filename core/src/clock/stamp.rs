//! Stamps of records: hybrid logical time that a restart does not forget (§4.3).
//!
//! The types are uhlc's; the clock is our own, because uhlc's reads the system's clock by itself and cannot be restored.

use core::fmt;
use core::time::Duration;

use uhlc::{ID, NTP64, Timestamp};

use crate::api::ReplicaId;

/// The last nanosecond that a stamp can name, in the year 2106: seconds have 32 bits.
pub const LAST_NS: u64 = (u32::MAX as u64) * 1_000_000_000 + 999_999_999;

/// Issues one replica's stamps, each later than every one it has issued or observed.
///
/// Stamps name whole nanoseconds, so that their text loses nothing; several within one reading of the device's clock
/// follow each other a nanosecond apart.
#[derive(Debug, Clone)]
pub struct Clock {
    id: ID,
    /// Nanoseconds since 1970 of the latest stamp, rounded up.
    last_ns: u64,
}

impl Clock {
    /// A clock that has seen nothing.
    pub fn new(id: ID) -> Clock {
        Clock { id, last_ns: 0 }
    }

    /// A clock that goes on behind `last`, the latest stamp that was saved.
    pub fn restore(id: ID, last: &Timestamp) -> Clock {
        let mut clock = Clock::new(id);
        clock.observe(last);
        clock
    }

    /// Issues the next stamp. `now_ns` is the device's time in nanoseconds since 1970; a time beyond what a stamp can
    /// name tells nothing and is passed over.
    ///
    /// # Errors
    /// The latest stamp is the last there is; nothing is issued.
    pub fn next(&mut self, now_ns: u64) -> Result<Timestamp, ClockExhausted> {
        let next_ns = self.next_ns(now_ns)?;
        Ok(Timestamp::new(NTP64::from(Duration::from_nanos(next_ns)), self.id))
    }

    /// Nanoseconds since 1970 of the latest stamp that was issued or observed.
    pub fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// Takes note of the time of a stamp that was applied, in nanoseconds since 1970.
    pub fn observe_ns(&mut self, unix_ns: u64) {
        self.last_ns = self.last_ns.max(unix_ns);
    }

    /// Issues the next stamp as its time alone, in nanoseconds since 1970; see [`next`](Clock::next).
    ///
    /// # Errors
    /// The latest stamp is the last there is; nothing is issued.
    pub fn next_ns(&mut self, now_ns: u64) -> Result<u64, ClockExhausted> {
        let now_ns = if now_ns > LAST_NS { 0 } else { now_ns };
        let next_ns = self.last_ns.saturating_add(1).max(now_ns);
        if next_ns > LAST_NS {
            return Err(ClockExhausted);
        }
        self.last_ns = next_ns;
        Ok(next_ns)
    }

    /// Takes note of a stamp that was applied.
    pub fn observe(&mut self, stamp: &Timestamp) {
        self.last_ns = self.last_ns.max(stamp.get_time().as_nanos());
    }
}

/// The id that a replica's stamps carry: its 16 bytes, so that their text shows the UUID's digits. The nil UUID, which
/// stamps cannot carry, has none.
pub fn stamp_id(replica: ReplicaId) -> Option<ID> {
    ID::try_from(u128::from_be_bytes(*replica.as_bytes())).ok()
}

/// A stamp as text: `2022-04-09T06:53:36.397295996Z/89F9DD8514914648989315B2D30D7BE5`.
///
/// Exact for stamps of a [`Clock`]; others are rounded up to a nanosecond. Texts sort as their times do. Of one time they
/// sort by the ids' first digits, [`Timestamp`]s by the ids' last bytes: which stamp wins is for stamps to tell.
#[derive(Debug, Clone, Copy)]
pub struct StampText<'a>(pub &'a Timestamp);

impl fmt::Display for StampText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = i128::from(self.0.get_time().as_nanos());
        let time = jiff::Timestamp::from_nanosecond(nanoseconds).map_err(|_| fmt::Error)?;
        let id = u128::from_le_bytes(self.0.get_id().to_le_bytes());
        write!(f, "{time:.9}/{id:032X}")
    }
}

/// Reads a stamp's text. The id's digits may be of either case, and its leading zeros may be missing, as uhlc
/// writes it.
///
/// # Errors
/// A text of another form, or a time that no stamp can name.
pub fn parse_stamp(text: &str) -> Result<Timestamp, InvalidStamp> {
    let (time, id) = text.split_once('/').ok_or(InvalidStamp)?;
    let parsed: jiff::Timestamp = time.parse().map_err(|_| InvalidStamp)?;
    let nanoseconds = u64::try_from(parsed.as_nanosecond()).map_err(|_| InvalidStamp)?;
    if nanoseconds > LAST_NS || alloc::format!("{parsed:.9}") != time {
        return Err(InvalidStamp);
    }
    if id.len() > 32 || !id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(InvalidStamp);
    }
    let id = u128::from_str_radix(id, 16).map_err(|_| InvalidStamp)?;
    let id = ID::try_from(id).map_err(|_| InvalidStamp)?;
    Ok(Timestamp::new(NTP64::from(Duration::from_nanos(nanoseconds)), id))
}

/// No later stamp can be named. Only a stamp of the year 2106 leads here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the latest stamp is the last there is")]
pub struct ClockExhausted;

/// A text that is no stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a stamp like `2022-04-09T06:53:36.397295996Z/89F9DD8514914648989315B2D30D7BE5`")]
pub struct InvalidStamp;

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    fn id() -> ID {
        stamp_id(ReplicaId::from_bytes([9; 16])).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn each_stamp_is_later_than_all_before_and_its_text_loses_nothing(
            steps in prop::collection::vec((any::<bool>(), any::<u64>()), 1..40),
            start in prop_oneof![Just(0u64), 0..LAST_NS],
        ) {
            let mut clock = Clock::new(id());
            let mut latest = Timestamp::new(NTP64(0), id());
            for (observed, number) in steps {
                if observed {
                    // Any fraction, up to the middle of the range.
                    let stamp = Timestamp::new(NTP64(number >> 1), ID::try_from(7u8).unwrap());
                    clock.observe(&stamp);
                    latest = latest.max(stamp);
                } else {
                    let stamp = clock.next(start.wrapping_add(number % 1000)).unwrap();
                    prop_assert!(stamp.get_time() > latest.get_time());
                    prop_assert_eq!(parse_stamp(&StampText(&stamp).to_string()), Ok(stamp));
                    latest = stamp;
                    clock = Clock::restore(id(), &latest);
                }
            }
        }

        /// Of one time, stamps compare ids from their last byte on, texts from their first.
        #[test]
        fn texts_of_a_clocks_stamps_sort_as_their_times_do(
            (a, x) in (0..3u64, any::<[u8; 16]>()),
            (b, y) in (0..3u64, any::<[u8; 16]>()),
            around in prop_oneof![Just(0), Just(999_999_999), Just(LAST_NS - 9), 0..LAST_NS - 9],
        ) {
            let stamp = |number: u64, mut replica: [u8; 16]| {
                replica[7] |= 1;
                Clock::new(stamp_id(ReplicaId::from_bytes(replica)).unwrap()).next(around + 1 + number).unwrap()
            };
            let (one, two) = (stamp(a, x), stamp(b, y));
            let texts = StampText(&one).to_string().cmp(&StampText(&two).to_string());
            if a != b {
                prop_assert_eq!((texts, one.cmp(&two)), (a.cmp(&b), a.cmp(&b)));
            }
            prop_assert_eq!(texts.is_eq(), one == two);
        }

        #[test]
        fn stamps_of_one_time_sort_as_their_replicas_read_backwards(
            mut a in any::<[u8; 16]>(),
            mut b in any::<[u8; 16]>(),
            time in any::<u64>(),
        ) {
            let stamp = |bytes| stamp_id(ReplicaId::from_bytes(bytes)).map(|id| Timestamp::new(NTP64(time), id));
            let order = stamp(a).cmp(&stamp(b));
            a.reverse();
            b.reverse();
            prop_assert_eq!(order, a.cmp(&b));
        }

        #[test]
        fn texts_of_any_stamps_are_never_in_the_other_order(a in any::<u64>(), near in 0..9u64) {
            let text = |time| StampText(&Timestamp::new(NTP64(time), id())).to_string();
            prop_assert!(text(a) <= text(a.saturating_add(near)));
        }

        /// Whoever had seen a value and writes over it wins, on every device.
        #[test]
        fn a_stamp_is_later_than_all_that_its_clock_had_seen(
            steps in prop::collection::vec((0..3usize, 0..4usize, 0..5u64), 1..30),
        ) {
            let ids: Vec<ID> = (1..4u8).map(|number| stamp_id(ReplicaId::from_bytes([number; 16])).unwrap()).collect();
            let mut clocks: Vec<(Clock, Vec<Timestamp>)> = ids.iter().map(|id| (Clock::new(*id), vec![])).collect();
            for (at, from, now) in steps {
                match clocks.get(from).filter(|_| from != at).map(|(_, seen)| seen.clone()) {
                    Some(theirs) => for stamp in theirs {
                        clocks[at].0.observe(&stamp);
                        clocks[at].1.push(stamp);
                    },
                    // Clocks stand still, go back and differ.
                    None => {
                        let stamp = clocks[at].0.next(now * (at as u64)).unwrap();
                        prop_assert!(clocks[at].1.iter().all(|seen| stamp > *seen && stamp.get_time() > seen.get_time()));
                        clocks[at].1.push(stamp);
                    }
                }
            }
        }

        #[test]
        fn any_stamp_has_a_text_and_no_text_makes_the_parser_panic(time in any::<u64>(), text in ".{0,60}") {
            let stamp = Timestamp::new(NTP64(time), id());
            let expected = alloc::format!("Z/{}", "09".repeat(16));
            prop_assert!(StampText(&stamp).to_string().ends_with(&expected), "{}", StampText(&stamp));
            let _ = parse_stamp(&text);
        }
    }

    #[test]
    fn the_text_is_the_one_that_applications_have() {
        let text = "2022-04-09T06:53:36.397295996Z/89F9DD8514914648989315B2D30D7BE5";
        let stamp = parse_stamp(text).unwrap();
        assert_eq!(StampText(&stamp).to_string(), text);
        let replica: ReplicaId = "89f9dd85-1491-4648-9893-15b2d30d7be5".parse().unwrap();
        assert_eq!(stamp_id(replica), Some(*stamp.get_id()));
        assert_eq!(parse_stamp(&text.to_lowercase().replace('t', "T").replace('z', "Z")), Ok(stamp));
    }

    #[test]
    fn texts_of_other_forms_are_refused() {
        for text in [
            "",
            "/",
            "2022-04-09T06:53:36.397295996Z",
            "2022-04-09T06:53:36Z/89F9",
            "2022-04-09T06:53:36.397295996+00:00/89F9",
            "2022-04-09 06:53:36.397295996Z/89F9",
            "2022-04-09T06:53:36.397295996Z/",
            "2022-04-09T06:53:36.397295996Z/0",
            "2022-04-09T06:53:36.397295996Z/+1",
            "2022-04-09T06:53:36.397295996Z/089F9DD8514914648989315B2D30D7BE5",
            "1969-12-31T23:59:59.999999999Z/1",
            "2106-02-07T06:28:16.000000000Z/1",
        ] {
            assert_eq!(parse_stamp(text), Err(InvalidStamp), "{text}");
        }
        assert!(parse_stamp("2106-02-07T06:28:15.999999999Z/1").is_ok());
    }

    #[test]
    fn h13_a_clock_that_was_ahead_goes_on_and_its_end_is_an_error() {
        let mut clock = Clock::new(id());
        let ahead = clock.next(2_051_222_400_000_000_000).unwrap();
        let back = clock.next(1_700_000_000_000_000_000).unwrap();
        assert!(back > ahead);

        assert_eq!(clock.next(u64::MAX).unwrap().get_time().as_nanos(), back.get_time().as_nanos() + 1);
        let last = clock.next(LAST_NS).unwrap();
        assert_eq!(clock.next(0), Err(ClockExhausted));
        assert_eq!(parse_stamp(&StampText(&last).to_string()), Ok(last));

        clock.observe(&Timestamp::new(NTP64(u64::MAX), id()));
        assert_eq!(clock.next(0), Err(ClockExhausted));
        assert_eq!(stamp_id(ReplicaId::from_bytes([0; 16])), None);
    }
}
