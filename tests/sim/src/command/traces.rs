//! What engines did in each story, in one number.

use syncline_sim::{Genre, story::Swarm};

use super::seeds::Pair;
use super::{Verdict, several};

/// Prints the traces of stories that break nothing, in their order: `genre workload schedule acts trace`.
pub fn print(genre: Genre, base: u64, runs: u64, acts: u16, jobs: usize) -> Verdict {
    let pairs: Vec<Pair> = (0..runs).map(|run| Pair::of_run(base, run)).collect();
    let mut lines = Vec::new();
    let all = several::each(
        jobs,
        &pairs,
        |pair| pair.draw(genre, Swarm::default(), acts).trace(),
        |index, trace| {
            match trace {
                Ok(trace) => lines.push((pairs[index], trace)),
                Err(violation) => eprintln!("{} is left out: {violation:.160}", pairs[index]),
            }
            true
        },
    );
    lines.sort();
    for (Pair { workload, schedule }, trace) in lines {
        println!("{} {workload} {schedule} {acts} {trace}", genre.name());
    }
    if all { Verdict::Well } else { Verdict::Wrong }
}
