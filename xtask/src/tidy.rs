//! `cargo xtask tidy`.
/// x
pub fn tidy() -> anyhow::Result<()> {
    Ok(())
}
