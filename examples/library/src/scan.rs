//! Finding the files of a folder.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::rows::FilePath;

/// How many hexadecimal digits of a content's hash name it.
const CAS_ID_DIGITS: usize = 16;

/// All files in a folder and the folders in it. Links are not followed; names that are no UTF-8 are left out.
pub(crate) fn files(folder: &Path, device: &str) -> Result<Vec<FilePath>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list `{}`", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            found.extend(files(&path, device)?);
        } else if let Some(text) = path.to_str().filter(|_| kind.is_file()) {
            found.push(file(&path, text, device)?);
        }
    }
    Ok(found)
}

fn file(path: &Path, text: &str, device: &str) -> Result<FilePath> {
    let mut hasher = blake3::Hasher::new();
    let opened = fs::File::open(path).with_context(|| format!("cannot read `{text}`"))?;
    hasher.update_reader(&opened)?;
    let cas_id = hasher.finalize().to_hex()[..CAS_ID_DIGITS].to_string();
    let size = i64::try_from(hasher.count())?;
    Ok(FilePath { device: device.to_string(), path: text.to_string(), size, cas_id })
}
