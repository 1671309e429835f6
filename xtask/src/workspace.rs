//! Where things are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::shell::{capture, command};

/// The workspace's root.
pub fn root() -> &'static Path {
    // xtask lies directly below the root.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."))
}

/// The folder of built things.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// The folder, outside the repository, of tools that are costly to get: `SYNCLINE_CACHE`, else `syncline` in the user's
/// cache folder. It can be deleted at any time.
///
/// # Errors
/// There is no home folder and neither variable is set, or the folder cannot be made.
pub fn cache() -> Result<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = variable("SYNCLINE_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("syncline")))
        .or_else(|| variable("HOME").map(|folder| folder.join(".cache/syncline")))
        .context("expected a cache folder, found no HOME: set SYNCLINE_CACHE")?;
    // Relative folders count from where the command was given, not from the root.
    let folder = std::path::absolute(folder)?;
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make the cache folder {}", folder.display()))?;
    Ok(folder)
}

/// The files that git keeps or would keep, relative to the root.
///
/// # Errors
/// There is no git, or this is no clone.
pub fn files() -> Result<Vec<PathBuf>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = capture(command("git", arguments))?;
    let mut files: Vec<PathBuf> = listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from).collect();
    files.sort();
    files.dedup();
    // Those deleted but not yet committed as such are still listed.
    files.retain(|path| root().join(path).is_file());
    Ok(files)
}

/// Makes a folder empty, making it if need be.
///
/// # Errors
/// It cannot be removed or made.
pub fn clear(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}
