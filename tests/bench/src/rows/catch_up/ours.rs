//! Our side: two sessions say their heads to each other, as two engines do.

use anyhow::{Result, ensure};
use syncline_core::api::{GroupId, Hash, ReplicaId};
use syncline_core::engine::limits::CREDIT_BYTES;
use syncline_core::link::{Frame, Indexing, Session, SessionConfig};
use syncline_core::log::Heads;

use super::Exchange;

/// One that holds these.
pub struct Holder {
    /// What it holds.
    pub heads: Heads,
    /// Their digest, which an engine has from its last save.
    pub digest: Hash,
}

/// Lets two that meet find out what one of them lacks of the other, from the first byte on. Where the digests in the hellos
/// are equal both know at once; else each says its heads.
///
/// # Errors
/// They do not understand each other.
pub fn exchange(full: &Holder, lacking: &Holder) -> Result<Exchange> {
    let (mut a, mut b) = (session(1, full), session(2, lacking));
    let (mut bytes, mut rounds, mut missing) = (0, 0, None);
    let (mut greeted_a, mut greeted_b) = (false, false);
    loop {
        let to_b = packets(&mut a);
        let to_a = packets(&mut b);
        if to_a.is_empty() && to_b.is_empty() {
            break;
        }
        rounds += 1;
        bytes += to_a.iter().chain(&to_b).map(Vec::len).sum::<usize>();
        hear(&mut b, to_b, &mut greeted_b, lacking, |_| {})?;
        hear(&mut a, to_a, &mut greeted_a, full, |heads| {
            let ranges = full.heads.missing_from(heads);
            missing = Some(ranges.map(|(_, first, last)| last - first + 1).sum::<u64>());
        })?;
    }
    let is_equal = a.peer().is_some_and(|peer| peer.digest == full.digest);
    ensure!(is_equal || missing.is_some(), "the heads did not come");
    Ok(Exchange { bytes, rounds, missing: missing.unwrap_or(0) })
}

fn session(number: u8, holder: &Holder) -> Session {
    let config = SessionConfig {
        group: GroupId::from_bytes([7; 16]),
        replica: ReplicaId::from_bytes([number; 16]),
        digest: holder.digest,
        credit: CREDIT_BYTES,
    };
    Session::new(config, 1 << 20)
}

fn packets(session: &mut Session) -> Vec<Vec<u8>> {
    let packets = std::iter::from_fn(|| session.next_packet()).collect();
    session.ready();
    packets
}

fn hear(
    session: &mut Session,
    packets: Vec<Vec<u8>>,
    greeted: &mut bool,
    own: &Holder,
    mut heard: impl FnMut(&Heads),
) -> Result<()> {
    for packet in packets {
        let frame = session.receive(&packet)?;
        if let Some(Frame::Heads { heads, .. }) = &frame {
            heard(heads);
        }
        if !*greeted && let Some(peer) = session.peer() {
            *greeted = true;
            if peer.digest != own.digest {
                let (heads, digest) = (own.heads.clone(), own.digest);
                session.push(Frame::Heads { heads, digest, indexing: Indexing::Done })?;
            }
        }
    }
    Ok(())
}
