//! Kinds of acts.

use serde::{Deserialize, Serialize};

/// Kinds of acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ActKind {
    /// Writes a new text to one of a few names.
    Write,
    /// Writes a text that others write, too.
    WriteSame,
    /// Writes a new text to a file that is there.
    Edit,
    /// Adds to a file's end.
    Append,
    /// Cuts a file short.
    Truncate,
    /// Saves as most editors do: a new file renamed over the old one.
    Save,
    /// Saves as others do: the old file is moved aside, a new one written, the old one removed.
    SaveAside,
    /// Renames a file.
    Rename,
    /// Renames a directory.
    MoveDirectory,
    /// Exchanges two files by three renames.
    Exchange,
    /// Copies a file.
    Copy,
    /// Deletes a file or link.
    Delete,
    /// Deletes a directory and everything in it.
    DeleteDirectory,
    /// Deletes nearly everything.
    DeleteMost,
    /// Makes a directory.
    MakeDirectory,
    /// Makes a link, or changes one.
    Link,
    /// Replaces a file by a directory, a directory by a file, a link by a file.
    Swap,
    /// Changes permission bits.
    Chmod,
    /// Sets the time of a file and nothing else.
    Touch,
    /// Makes a socket.
    Socket,
    /// Edits a conflict copy.
    EditCopy,
    /// Deletes a conflict copy.
    DeleteCopy,
    /// Puts a conflict copy in its plain name's place.
    KeepCopy,
    /// Gives a conflict copy a name of its own.
    RenameCopy,
    /// Writes a file of several chunks.
    WriteBig,
    /// Writes many small files at once.
    Unpack,
    /// Changes something in the middle of a big file.
    EditBig,
    /// Says yes to deletions that are held.
    Allow,
    /// Takes deletions that are held back.
    Restore,
    /// Asks for a whole comparison.
    Rescan,
    /// Opens a file in a program that keeps it open.
    OpenFile,
    /// Writes to a file that a program holds open, wherever it is by now.
    WriteOpen,
    /// Takes a backup of the folder.
    BackUp,
    /// Puts a backup of the folder in its place.
    RestoreBackup,
    /// Puts a directory of a backup in its place.
    RestoreDirectory,
    /// Puts a file of a backup in its place.
    RestoreFile,
    /// Copies the folder with all that is in it to another device, and syncs that, too.
    CopyRoot,
    /// Loads a file into an editor, which keeps its text in memory.
    Load,
    /// Saves a text from an editor where it had loaded the last one, whatever stands there by now.
    SaveLoaded,
}

impl ActKind {
    /// All of them.
    pub const ALL: [ActKind; 39] = [
        ActKind::Write,
        ActKind::WriteSame,
        ActKind::Edit,
        ActKind::Append,
        ActKind::Truncate,
        ActKind::Save,
        ActKind::SaveAside,
        ActKind::Rename,
        ActKind::MoveDirectory,
        ActKind::Exchange,
        ActKind::Copy,
        ActKind::Delete,
        ActKind::DeleteDirectory,
        ActKind::DeleteMost,
        ActKind::MakeDirectory,
        ActKind::Link,
        ActKind::Swap,
        ActKind::Chmod,
        ActKind::Touch,
        ActKind::Socket,
        ActKind::EditCopy,
        ActKind::DeleteCopy,
        ActKind::KeepCopy,
        ActKind::RenameCopy,
        ActKind::WriteBig,
        ActKind::Unpack,
        ActKind::EditBig,
        ActKind::Allow,
        ActKind::Restore,
        ActKind::Rescan,
        ActKind::OpenFile,
        ActKind::WriteOpen,
        ActKind::BackUp,
        ActKind::RestoreBackup,
        ActKind::RestoreDirectory,
        ActKind::RestoreFile,
        ActKind::CopyRoot,
        ActKind::Load,
        ActKind::SaveLoaded,
    ];

    /// Each costs as much as a hundred others, or moves nearly everything.
    pub(crate) fn is_costly(self) -> bool {
        use ActKind::{CopyRoot, DeleteMost, EditBig, RestoreBackup, Unpack, WriteBig};
        matches!(self, WriteBig | Unpack | EditBig | DeleteMost | RestoreBackup | CopyRoot)
    }

    /// It makes no difference where this one is never done.
    pub(crate) fn needs(self) -> Option<ActKind> {
        match self {
            ActKind::WriteOpen => Some(ActKind::OpenFile),
            ActKind::OpenFile => Some(ActKind::WriteOpen),
            ActKind::RestoreBackup | ActKind::RestoreDirectory | ActKind::RestoreFile => Some(ActKind::BackUp),
            ActKind::BackUp => Some(ActKind::RestoreFile),
            ActKind::Load => Some(ActKind::SaveLoaded),
            ActKind::SaveLoaded => Some(ActKind::Load),
            _ => None,
        }
    }

    /// It is about what people have beside the folder.
    pub(super) fn is_about_belongings(self) -> bool {
        use ActKind::{BackUp, CopyRoot, Load, OpenFile, SaveLoaded, WriteOpen};
        use ActKind::{RestoreBackup, RestoreDirectory, RestoreFile};
        let restores = matches!(self, RestoreBackup | RestoreDirectory | RestoreFile);
        restores || matches!(self, OpenFile | WriteOpen | Load | SaveLoaded | BackUp | CopyRoot)
    }
}
