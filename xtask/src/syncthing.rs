//! Message folders through real Syncthing: three of its instances on this machine.

use anyhow::{Result, ensure};

use crate::count::{self, Count};
use crate::shell::{answers, command, run};

const PROGRAM: &str = "syncthing";
const EXCHANGE: &str = "exchange::three_members_exchange_ten_thousand_messages_through_syncthing";

/// Lets three members exchange messages through Syncthing, which is installed if it is missing.
///
/// # Errors
/// There is no Syncthing and Debian's package cannot be had, or the test does not build.
pub fn test() -> Result<Count> {
    install()?;
    // As the other tests build it, so that it is not compiled once more with other features.
    let mut cargo = command("cargo", ["test", "--workspace", "--test", "syncthing", "--"]);
    cargo.args(["--ignored", "--nocapture", "--exact", EXCHANGE]);
    count::tests(cargo, count::cargo)
}

fn install() -> Result<()> {
    let is_there = || answers(PROGRAM, &["--version"]);
    if is_there() {
        return Ok(());
    }
    println!("{PROGRAM} is missing: apt-get shall get it");
    let installed = run(command("apt-get", ["install", "-y", "-q", "--no-install-recommends", PROGRAM]));
    ensure!(
        installed.is_ok() && is_there(),
        "expected {PROGRAM}, found none, and `apt-get install {PROGRAM}` did not get it: install it"
    );
    Ok(())
}
