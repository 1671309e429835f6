//! What goes wrong, and when.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::carrier::Carrier;
use super::process::Member;

/// What happens to the carrier; the first two last until the next trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// One instance stops to carry the folder.
    PausedFolder(usize),
    /// One instance and the next one do not speak with each other.
    PausedLink(usize),
    /// One instance is killed, and is started at the next trouble.
    Killed(usize),
    /// One instance ends in order and starts again.
    Restarted(usize),
}

/// Troubles, one after the other.
pub struct Troubles {
    random: StdRng,
    count: usize,
    lasting: Option<Trouble>,
    /// How often each member was killed.
    pub kills: [usize; 3],
}

impl Troubles {
    pub fn new(seed: u64) -> Troubles {
        Troubles { random: StdRng::seed_from_u64(seed), count: 0, lasting: None, kills: [0; 3] }
    }

    /// The next one: what lasted ends, something else happens to the carrier, and some member is killed.
    pub fn next(&mut self, carrier: &mut Carrier, members: &mut [Member]) {
        self.end_lasting(carrier);
        let place = self.random.random_range(0..3);
        let trouble = match self.count % 4 {
            0 => Trouble::PausedFolder(place),
            1 => Trouble::PausedLink(place),
            2 => Trouble::Killed(place),
            _ => Trouble::Restarted(place),
        };
        self.count += 1;
        begin(trouble, carrier);
        self.lasting = Some(trouble).filter(|trouble| !matches!(trouble, Trouble::Restarted(_)));
        self.kill_member(members);
    }

    /// Some member is killed and started again.
    pub fn kill_member(&mut self, members: &mut [Member]) {
        let place = self.random.random_range(0..3);
        self.kills[place] += 1;
        members[place].kill_and_start();
    }

    /// The carrier carries again.
    pub fn end_lasting(&mut self, carrier: &mut Carrier) {
        match self.lasting.take() {
            Some(Trouble::PausedFolder(place)) => carrier.instances()[place].pause(false),
            Some(Trouble::PausedLink(place)) => carrier.pause_link(place, false),
            Some(Trouble::Killed(place)) => carrier.instances()[place].run(),
            Some(Trouble::Restarted(_)) | None => {}
        }
    }
}

fn begin(trouble: Trouble, carrier: &mut Carrier) {
    match trouble {
        Trouble::PausedFolder(place) => carrier.instances()[place].pause(true),
        Trouble::PausedLink(place) => carrier.pause_link(place, true),
        Trouble::Killed(place) => carrier.instances()[place].kill(),
        Trouble::Restarted(place) => {
            let instance = &mut carrier.instances()[place];
            instance.shut_down();
            instance.run();
        }
    }
}
