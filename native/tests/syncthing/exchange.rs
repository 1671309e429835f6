//! Three members exchange messages through Syncthing; what carries them and they themselves are stopped, killed and started
//! all the time, and in the end everyone has everything once, in one order.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use syncline::messages::{MessageFolder, Options};

use super::carrier::Carrier;
use super::judge;
use super::member::{Plan, text};
use super::process::{Member, Progress};
use super::troubles::Troubles;

const NAMES: [&str; 3] = ["anna", "bert", "carl"];
/// How many messages there are in all.
const MESSAGES: usize = 10_000;
/// How many troubles there are, evenly over what is posted and kept.
const TROUBLES: usize = 36;
/// Nothing at all happens for so long: it hangs.
const HANGS: Duration = Duration::from_secs(180);

/// How far everyone is.
#[derive(Debug, Default)]
struct Board {
    posted: [usize; 3],
    kept: [usize; 3],
}

impl Board {
    fn note(&mut self, place: usize, progress: Progress) {
        match progress {
            Progress::Posted(count) => self.posted[place] = count,
            Progress::Kept(number) => self.kept[place] = number,
            Progress::Ended => {}
        }
    }

    fn is_posted(&self) -> bool {
        self.posted.iter().sum::<usize>() == MESSAGES
    }

    fn is_done(&self) -> bool {
        self.is_posted() && self.kept.iter().all(|kept| *kept == MESSAGES)
    }

    /// How many troubles are due.
    fn due(&self) -> usize {
        let steps: usize = self.posted.iter().sum::<usize>() + self.kept.iter().sum::<usize>() / 3;
        (steps * TROUBLES).div_ceil(2 * MESSAGES)
    }
}

#[test]
#[ignore = "needs Syncthing: cargo xtask syncthing"]
fn three_members_exchange_ten_thousand_messages_through_syncthing() {
    let base = tempfile::tempdir().unwrap();
    let copies: Vec<PathBuf> = NAMES.iter().map(|name| base.path().join(format!("copy of {name}"))).collect();
    copies.iter().for_each(|copy| std::fs::create_dir(copy).unwrap());
    let plan = |(place, name): (usize, &&str)| Plan {
        name: name.to_string(),
        folder: copies[place].clone(),
        state: base.path().join(format!("state of {name}")),
        kept: base.path().join(format!("kept by {name}")),
        posts: (MESSAGES + place) / NAMES.len(),
        is_total: place == 2,
    };
    let plans: Vec<Plan> = NAMES.iter().enumerate().map(plan).collect();
    let mut carrier = Carrier::start(base.path(), &copies);
    begin_session(&plans);

    let began = Instant::now();
    let (to, progress) = mpsc::channel();
    let mut members: Vec<Member> =
        plans.iter().enumerate().map(|(place, plan)| Member::start(plan.clone(), place, to.clone())).collect();
    let kills = play(&mut carrier, &mut members, &progress);
    println!("exchanged in {:.1} s; members killed {kills:?}", began.elapsed().as_secs_f64());
    members.into_iter().for_each(Member::end);
    settle(&mut carrier, &copies);
    println!("at rest after {:.1} s", began.elapsed().as_secs_f64());
    check(&plans, kills);
    println!("checked after {:.1} s", began.elapsed().as_secs_f64());
}

/// The first member begins the session; the others join when Syncthing has brought it.
fn begin_session(plans: &[Plan]) {
    let options = Options { state: Some(plans[0].state.clone()), create: true, ..Options::default() };
    drop(MessageFolder::open(&plans[0].folder, options).unwrap());
    let began = Instant::now();
    while plans.iter().any(|plan| !plan.folder.join("tempo-fs-session/info").exists()) {
        assert!(began.elapsed() < HANGS, "Syncthing does not bring the session");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Lets everything go wrong until everyone has everything; how often each member was killed comes back.
fn play(carrier: &mut Carrier, members: &mut [Member], progress: &Receiver<(usize, Progress)>) -> [usize; 3] {
    let mut troubles = Troubles::new(0x5eed);
    let (mut board, mut done) = (Board::default(), 0);
    while !board.is_done() {
        let told = progress.recv_timeout(HANGS);
        let (place, told) = told.unwrap_or_else(|_| {
            let logs: Vec<String> = carrier.instances().iter().map(|instance| instance.log()).collect();
            panic!("nothing happens any more: {board:?}\n{}", logs.join("\n\n"));
        });
        board.note(place, told);
        if board.is_posted() {
            // What is left is to come, so nothing may last.
            troubles.end_lasting(carrier);
        }
        if done < board.due().min(TROUBLES - 1) {
            done += 1;
            match board.is_posted() {
                true => troubles.kill_member(members),
                false => troubles.next(carrier, members),
            }
        }
    }
    assert!(done >= TROUBLES / 2, "only {done} troubles came up");
    troubles.kills
}

/// Waits until Syncthing has brought every file to everyone; nobody writes any more.
fn settle(carrier: &mut Carrier, copies: &[PathBuf]) {
    let began = Instant::now();
    loop {
        let files: BTreeSet<_> = copies.iter().map(|copy| judge::files(copy)).collect();
        if files.len() == 1 {
            return;
        }
        if began.elapsed() > HANGS {
            let logs: Vec<String> = carrier.instances().iter().map(|instance| instance.log()).collect();
            panic!("Syncthing does not bring everything: {}", logs.join("\n\n"));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn check(plans: &[Plan], kills: [usize; 3]) {
    let said: BTreeSet<String> =
        plans.iter().flat_map(|plan| (0..plan.posts).map(|number| text(&plan.name, number))).collect();
    assert_eq!(said.len(), MESSAGES);
    let kept: Vec<_> = plans.iter().zip(kills).map(|(plan, kills)| judge::kept(plan, kills)).collect();
    for (plan, kept) in plans.iter().zip(&kept) {
        judge::assert_all(&plan.name, kept, &said);
    }
    let order = judge::read(&plans[0].folder, &plans[0].state);
    judge::assert_all("read", &order, &said);
    assert!(kept[2] == order, "who wanted the total order got another one");
    // A newcomer sees the same.
    let newcomer = plans[1].state.with_file_name("state of a newcomer");
    for (folder, state) in
        [(&plans[1].folder, &plans[1].state), (&plans[2].folder, &plans[2].state), (&plans[1].folder, &newcomer)]
    {
        assert!(judge::read(folder, state) == order, "{} has another order", state.display());
    }
    for plan in plans {
        judge::assert_settled(&plan.folder, &plan.state, MESSAGES);
    }
}
