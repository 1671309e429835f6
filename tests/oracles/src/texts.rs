//! Texts that people and stores give: names, ids, stamps.

use std::str::FromStr;

use syncline_core::{
    api::{GroupId, Hash, ReplicaId, RootId},
    clock::{Clock, ID, NTP64, StampText, Timestamp, parse_stamp, stamp_id},
    tree::{NAME_BYTES_MAX, Name},
};

use crate::{decoders::check_error, memory};

/// A name is refused, or it is one name on any platform and travels as it is. Ids are read as they are written.
pub fn name(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match memory::within(memory::of_reading(bytes.len()), || Name::new(text.as_ref())) {
        Ok(name) => {
            assert_eq!(name.as_str(), text, "a name travels as it is");
            assert!(!matches!(name.as_str(), "" | "." | ".."), "{name:?}");
            assert!(!name.contains(['/', '\0']) && name.len() <= NAME_BYTES_MAX, "{name:?}");
            let encoded = postcard::to_stdvec(&name).expect("a text");
            assert_eq!(postcard::from_bytes(&encoded), Ok(name));
        }
        Err(error) => {
            check_error(&error);
            let encoded = postcard::to_stdvec(text.as_ref()).expect("a text");
            assert!(postcard::from_bytes::<Name>(&encoded).is_err(), "read from bytes, not from text");
        }
    }
    // What stands in a message: a length, then the bytes, UTF-8 or not.
    let read = memory::within(memory::of_reading(bytes.len()), || postcard::take_from_bytes::<Name>(bytes));
    if let Ok((name, _)) = read {
        assert_eq!(Name::new(name.as_str()), Ok(name));
    }
    id(&text, ReplicaId::from_bytes);
    id(&text, GroupId::from_bytes);
    id(&text, RootId::from_bytes);
    if let Ok(hash) = Hash::try_from(bytes) {
        assert_eq!((hash.as_bytes().as_slice(), hash.to_hex().len()), (bytes, 64));
    } else {
        assert_ne!(bytes.len(), 32);
    }
}

fn id<T: FromStr + ToString + PartialEq + std::fmt::Debug>(text: &str, from_bytes: impl Fn([u8; 16]) -> T) {
    if let Ok(id) = text.parse::<T>() {
        let again = id.to_string();
        assert_eq!(again.parse::<T>().ok(), Some(id), "an id is read as it was written");
    }
    let mut sixteen = [0; 16];
    sixteen.iter_mut().zip(text.bytes()).for_each(|(to, byte)| *to = byte);
    let id = from_bytes(sixteen);
    assert_eq!(id.to_string().parse::<T>().ok(), Some(id));
}

/// A stamp's text is refused or read exactly; a clock's stamps rise, and their texts lose nothing.
pub fn stamp(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        match memory::within(memory::of_reading(bytes.len()), || parse_stamp(text)) {
            Ok(stamp) => {
                let written = StampText(&stamp).to_string();
                let (time, digits) = text.split_once('/').expect("a stamp has an id");
                assert_eq!(written, format!("{time}/{:0>32}", digits.to_uppercase()), "a stamp has one form");
                assert_eq!(parse_stamp(&written), Ok(stamp), "a text loses something");
            }
            Err(error) => check_error(&error),
        }
    }
    let Some((sixteen, rest)) = bytes.split_first_chunk::<16>() else { return };
    let Some(id) = stamp_id(ReplicaId::from_bytes(*sixteen)) else {
        return assert_eq!(sixteen, &[0; 16], "only the nil UUID has no id");
    };
    clock(id, rest);
}

/// Gives a clock readings and other clocks' stamps, eight bytes each.
fn clock(id: ID, bytes: &[u8]) {
    let mut clock = Clock::new(id);
    let mut last: Option<Timestamp> = None;
    for (index, bytes) in bytes.as_chunks::<8>().0.iter().enumerate() {
        let number = u64::from_le_bytes(*bytes);
        if index % 2 == 1 {
            let other = Timestamp::new(NTP64(number), id);
            let written = StampText(&other).to_string();
            assert!(written.len() > 33, "{written}");
            clock.observe(&other);
            if let Ok(next) = clock.clone().next(0) {
                assert!(next.get_time() >= other.get_time(), "a stamp is not later than one that was observed");
            }
            last = last.map(|last| last.max(other)).or(Some(other));
            continue;
        }
        let Ok(stamp) = clock.next(number) else { continue };
        assert!(last.is_none_or(|last| last < stamp), "a stamp is not later than all before");
        assert_eq!(parse_stamp(&StampText(&stamp).to_string()), Ok(stamp), "a text loses something");
        let restored = Clock::restore(id, &stamp).next(0);
        assert!(restored.is_err() || restored.is_ok_and(|next| next > stamp), "a restart forgets");
        last = Some(stamp);
    }
}
