//! Temporary.
#![allow(missing_docs)]
use syncline_sim::story::*;
fn main() {
    let mut args = std::env::args().skip(1);
    let first: u64 = args.next().unwrap().parse().unwrap();
    let runs: u64 = args.next().unwrap().parse().unwrap();
    let acts: u16 = args.next().map_or(200, |a| a.parse().unwrap());
    std::panic::set_hook(Box::new(|_| {}));
    let start = std::time::Instant::now();
    let mut events = 0;
    let mut coverage = Coverage::default();
    let mut broken = std::collections::BTreeMap::<String, Vec<u64>>::new();
    for seed in first..first + runs {
        let story = draw(seed, seed, acts);
        let played = play(&story, Options::default());
        events += played.events;
        coverage.add(&played.coverage);
        if let Some(violation) = played.violation {
            broken.entry(violation.invariant.name().into()).or_default().push(seed);
            if runs == 1 {
                println!("{violation}");
                let small = shrink(&story, violation.invariant, 3000);
                let played = play(&small, Options { with_work: std::env::var("DETAIL").is_ok(), ..Options::default() });
                println!("{} devices {:?}", small.devices, small.shape);
                for told in played.told {
                    println!("{told}");
                }
                println!("{}", played.violation.unwrap());
                if std::env::var("RAW").is_ok() {
                    println!("{:?}", small);
                }
            } else {
                println!("{seed}: {}", violation.to_string().chars().take(300).collect::<String>());
            }
        }
    }
    let s = start.elapsed().as_secs_f64();
    println!("{runs} runs, {events} events, {:.1} runs/s, {:.0} events/s", runs as f64 / s, events as f64 / s);
    for (k, v) in broken {
        println!("{k}: {} {:?}", v.len(), &v[..v.len().min(12)]);
    }
    if std::env::var("COV").is_ok() {
        for (k, v) in coverage.counts() {
            println!("  {v:>8} {k}");
        }
    }
}
