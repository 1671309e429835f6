//! Three members exchange messages through Syncthing; what carries them and they themselves are stopped, killed and started
//! all the time, and in the end everyone has everything once, in one order.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rustix::fs::{StatVfs, statvfs};
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
/// Several times what everything takes.
const SPACE_BYTES: u64 = 1 << 30;
/// Nothing at all happens for so long: it hangs.
const HANGS: Duration = Duration::from_secs(300);

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
    let mut base = tempfile::tempdir_in(place()).unwrap();
    // What a test that failed leaves is what explains it.
    base.disable_cleanup(true);
    println!("in {}", base.path().display());
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
    judge::assert_unfinished_not_carried(&copies);
    println!("at rest after {:.1} s", began.elapsed().as_secs_f64());
    check(&plans, kills);
    println!("checked after {:.1} s", began.elapsed().as_secs_f64());
    drop(carrier);
    base.disable_cleanup(false);
    base.close().unwrap();
}

/// Where everything lies: in memory where that has room, for to make and remove 60,000 small files takes some disks minutes.
fn place() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let free = |stat: StatVfs| stat.f_bavail.saturating_mul(stat.f_frsize);
    match statvfs(memory).map(free) {
        Ok(free) if free >= SPACE_BYTES => memory.to_path_buf(),
        _ => std::env::temp_dir(),
    }
}

/// The first member begins the session, the others join when Syncthing has brought it, and each says one thing that all
/// hear: who is heard for the first time may come before what counted as stable, so all must know each other.
fn begin_session(plans: &[Plan]) {
    let open = |plan: &Plan, create| {
        let options =
            Options { state: Some(plan.state.clone()), name: Some(plan.name.clone()), create, ..Options::default() };
        MessageFolder::open(&plan.folder, options).unwrap()
    };
    let wait_for = |what: &str, is_there: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !is_there() {
            assert!(began.elapsed() < HANGS, "Syncthing does not bring {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let first = open(&plans[0], true);
    wait_for("the session", &|| plans.iter().all(|plan| plan.folder.join("tempo-fs-session/info").exists()));
    let others = plans[1..].iter().map(|plan| open(plan, false));
    let members: Vec<MessageFolder> = [first].into_iter().chain(others).collect();
    for (plan, member) in plans.iter().zip(&members) {
        member.post(text(&plan.name, 0).into_bytes()).unwrap();
    }
    let hears_all = |member: &MessageFolder| member.history().unwrap().count() == plans.len();
    wait_for("the first messages", &|| members.iter().all(hears_all));
}

/// Lets everything go wrong until everyone has everything; how often each member was killed comes back.
fn play(carrier: &mut Carrier, members: &mut [Member], progress: &Receiver<(usize, Progress)>) -> [usize; 3] {
    let began = Instant::now();
    let mut troubles = Troubles::new(0x5eed);
    let (mut board, mut done) = (Board::default(), 0);
    while !board.is_done() {
        let told = progress.recv_timeout(HANGS);
        let (place, told) = told.unwrap_or_else(|_| {
            let logs: Vec<String> = carrier.instances().iter().map(|instance| instance.log()).collect();
            panic!("nothing happens any more: {board:?}\n{}", logs.join("\n\n"));
        });
        let was_posted = board.is_posted();
        board.note(place, told);
        if board.is_posted() && !was_posted {
            println!("posted after {:.1} s, {done} troubles; kept {:?}", began.elapsed().as_secs_f64(), board.kept);
        }
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
    judge::assert_same("who wanted the total order", &kept[2], &order);
    // A newcomer sees the same.
    let newcomer = plans[1].state.with_file_name("state of a newcomer");
    for (folder, state) in
        [(&plans[1].folder, &plans[1].state), (&plans[2].folder, &plans[2].state), (&plans[1].folder, &newcomer)]
    {
        judge::assert_same(&state.display().to_string(), &judge::read(folder, state), &order);
    }
    for plan in plans {
        judge::assert_settled(&plan.folder, &plan.state, MESSAGES);
    }
}
