//! The host's own facts in the store: who this replica is, and which folders it was kept in sync with.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use redb::{ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use syncline_core::api::{GroupId, Membership, ReplicaId, RootId};

use super::{FORMAT, Store};
use crate::Error;

const HOST: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("host");
const PARTNERS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("partners");

/// Who a replica is. Written once, when its store is made.
#[derive(Clone, PartialEq, Eq)]
pub struct Facts {
    /// The group.
    pub group: GroupId,
    /// The group's key.
    pub group_key: [u8; 32],
    /// The device's Ed25519 secret key.
    pub identity: [u8; 32],
    /// The root.
    pub root: RootId,
    /// How the replica came to the root.
    pub membership: Membership,
    /// The device's name as people see it.
    pub name: String,
    /// The inode of the state's folder. With the path it tells a root that was copied with its state from the original.
    pub place: u64,
    /// The root's canonical path.
    pub path: PathBuf,
}

/// Another folder that this one was kept in sync with on this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    /// Its canonical path.
    pub path: PathBuf,
    /// The replica that was there.
    pub replica: ReplicaId,
}

impl Store {
    /// Who this replica is.
    ///
    /// # Errors
    /// The store cannot be read, is of a newer format, or lacks a fact.
    pub fn facts(&self) -> Result<Facts, Error> {
        let fail = |e: redb::Error| self.error("read from", e);
        let transaction = self.database.begin_read().map_err(|e| fail(e.into()))?;
        let table = transaction.open_table(HOST).map_err(|e| fail(e.into()))?;
        let bytes = |name: &'static str| -> Result<Vec<u8>, Error> {
            match table.get(name).map_err(|e| fail(e.into()))? {
                Some(value) => Ok(value.value().to_vec()),
                None => Err(self.damaged(name)),
            }
        };
        let format = u32::from_le_bytes(self.array("format", bytes("format")?)?);
        if format > FORMAT {
            return Err(Error::NewerFormat { path: self.path().to_path_buf(), found: format, known: FORMAT });
        }
        Ok(Facts {
            group: GroupId::from_bytes(self.array("group", bytes("group")?)?),
            group_key: self.array("group_key", bytes("group_key")?)?,
            identity: self.array("identity", bytes("identity")?)?,
            root: RootId::from_bytes(self.array("root", bytes("root")?)?),
            membership: match bytes("membership")?.as_slice() {
                b"founder" => Membership::Founder,
                b"joiner" => Membership::Joiner,
                b"emptied" => Membership::Emptied,
                _ => return Err(self.damaged("membership")),
            },
            name: String::from_utf8(bytes("name")?).map_err(|_| self.damaged("name"))?,
            place: u64::from_le_bytes(self.array("place", bytes("place")?)?),
            path: PathBuf::from(std::ffi::OsString::from_vec(bytes("path")?)),
        })
    }

    /// The folders this one was kept in sync with.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn partners(&self) -> Result<Vec<Partner>, Error> {
        let fail = |e: redb::Error| self.error("read from", e);
        let transaction = self.database.begin_read().map_err(|e| fail(e.into()))?;
        let table = transaction.open_table(PARTNERS).map_err(|e| fail(e.into()))?;
        let mut partners = Vec::new();
        for pair in table.iter().map_err(|e| fail(e.into()))? {
            let (path, replica) = pair.map_err(|e| fail(e.into()))?;
            partners.push(Partner {
                path: PathBuf::from(std::ffi::OsString::from_vec(path.value().to_vec())),
                replica: ReplicaId::from_bytes(self.array("partner", replica.value().to_vec())?),
            });
        }
        Ok(partners)
    }

    /// Whether this replica was kept in sync with the folder at this canonical path.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn remembers(&self, path: &Path) -> Result<bool, Error> {
        Ok(self.partners()?.iter().any(|partner| partner.path == path))
    }

    /// Notes that this replica is kept in sync with that folder.
    ///
    /// # Errors
    /// The disk refused.
    pub fn remember(&self, partner: &Partner) -> Result<(), Error> {
        if self.partners()?.contains(partner) {
            return Ok(());
        }
        let fail = |e: redb::Error| self.error("write to", e);
        let transaction = self.database.begin_write().map_err(|e| fail(e.into()))?;
        {
            let mut table = transaction.open_table(PARTNERS).map_err(|e| fail(e.into()))?;
            table
                .insert(partner.path.as_os_str().as_bytes(), partner.replica.as_bytes().as_slice())
                .map_err(|e| fail(e.into()))?;
        }
        transaction.commit().map_err(|e| fail(e.into()))
    }

    /// Notes where the root is now.
    ///
    /// # Errors
    /// The disk refused.
    pub fn note_place(&self, place: u64, path: &Path) -> Result<(), Error> {
        let facts = self.facts()?;
        if facts.place == place && facts.path == path {
            return Ok(());
        }
        let fail = |e: redb::Error| self.error("write to", e);
        let transaction = self.database.begin_write().map_err(|e| fail(e.into()))?;
        {
            let mut table = transaction.open_table(HOST).map_err(|e| fail(e.into()))?;
            let pairs = [("place", place.to_le_bytes().to_vec()), ("path", path.as_os_str().as_bytes().to_vec())];
            for (name, value) in pairs {
                table.insert(name, value.as_slice()).map_err(|e| fail(e.into()))?;
            }
        }
        transaction.commit().map_err(|e| fail(e.into()))
    }

    fn array<const N: usize>(&self, name: &'static str, bytes: Vec<u8>) -> Result<[u8; N], Error> {
        bytes.try_into().map_err(|_| self.damaged(name))
    }

    fn damaged(&self, name: &'static str) -> Error {
        Error::Damaged { path: self.path().to_path_buf(), detail: format!("`{name}` is missing or malformed") }
    }
}

/// Writes the facts of a new store.
pub(super) fn write(transaction: &WriteTransaction, facts: &Facts) -> Result<(), redb::Error> {
    transaction.open_table(PARTNERS)?;
    let mut table = transaction.open_table(HOST)?;
    let membership: &[u8] = match facts.membership {
        Membership::Founder => b"founder",
        Membership::Joiner => b"joiner",
        Membership::Emptied => b"emptied",
    };
    table.insert("format", FORMAT.to_le_bytes().as_slice())?;
    table.insert("group", facts.group.as_bytes().as_slice())?;
    table.insert("group_key", facts.group_key.as_slice())?;
    table.insert("identity", facts.identity.as_slice())?;
    table.insert("root", facts.root.as_bytes().as_slice())?;
    table.insert("membership", membership)?;
    table.insert("name", facts.name.as_bytes())?;
    table.insert("place", facts.place.to_le_bytes().as_slice())?;
    table.insert("path", facts.path.as_os_str().as_bytes())?;
    Ok(())
}
