//! Keys of sealed sessions, in files: 64 hexadecimal digits, readable by their owner alone.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::Error;
use crate::root::random;

/// A new key.
///
/// # Errors
/// The system gives no random bytes.
pub fn generate() -> Result<[u8; 32], Error> {
    random()
}

/// Reads a key.
///
/// # Errors
/// The file cannot be read, or holds no key.
pub fn read(path: &Path) -> Result<[u8; 32], Error> {
    let text = fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
    let key = blake3::Hash::from_hex(text.trim_end()).map(|key| *key.as_bytes());
    key.map_err(|_| Error::NotAKey { path: path.to_path_buf() })
}

/// Writes a key, unless it is there already.
///
/// # Errors
/// The file cannot be written, or holds something else.
pub fn write(path: &Path, key: &[u8; 32]) -> Result<(), Error> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match opened {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            return if read(path)? == *key { Ok(()) } else { Err(Error::OtherKey { path: path.to_path_buf() }) };
        }
        opened => opened.map_err(|e| Error::io("create", path, e))?,
    };
    let text = format!("{}\n", blake3::Hash::from(*key).to_hex());
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| Error::io("write to", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_read_as_it_was_written_and_never_replaced() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("key");
        let (one, two) = (generate().unwrap(), generate().unwrap());
        write(&path, &one).unwrap();
        write(&path, &one).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(write(&path, &two), Err(Error::OtherKey { .. })));
        assert_eq!(read(&path).unwrap(), one);
        fs::write(&path, "no key").unwrap();
        assert!(matches!(read(&path), Err(Error::NotAKey { .. })));
    }
}
