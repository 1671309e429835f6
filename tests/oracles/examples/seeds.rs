//! Writes the inputs to begin with into a folder of corpora: `cargo run -p syncline-oracles --example seeds -- FOLDER`.

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1).ok_or("expected a folder to write the corpora into, found none")?;
    for target in syncline_oracles::TARGETS {
        let corpus = Path::new(&folder).join(target.name);
        fs::create_dir_all(&corpus)?;
        let seeds = syncline_oracles::seeds(target.name);
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(corpus.join(format!("seed-{number:02}")), seed)?;
        }
        let longest = seeds.iter().map(Vec::len).max().unwrap_or(0);
        println!("{:<14} {:>3} seeds, the longest of {longest} bytes", target.name, seeds.len());
    }
    Ok(())
}
