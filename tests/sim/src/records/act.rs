//! What people do to rows.

use serde::{Deserialize, Serialize};
use syncline_core::api::RowName;

use super::{play::Scene, tables::Table};

/// Something that someone does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// What.
    pub kind: ActKind,
    /// On which device.
    pub device: u8,
    /// In which table.
    pub table: u8,
    /// Which row, and how much.
    pub amount: u8,
    /// Makes its values differ from all others.
    pub number: u16,
}

/// Kinds of acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ActKind {
    /// Writes one property of a row, which may be there or not.
    Put,
    /// Writes several properties of a row.
    PutSeveral,
    /// Changes a row that is there.
    Change,
    /// Deletes a row that is there.
    Delete,
    /// Makes a row again that was deleted.
    PutAgain,
    /// Tries to change a row that another device owns.
    PutForeign,
    /// Tries to delete one.
    DeleteForeign,
    /// Writes many rows at once.
    Burst,
    /// Deletes many rows at once.
    DeleteMany,
    /// Makes the rows that every new device makes, each with the same values.
    Defaults,
    /// Writes a file that was not there before.
    WriteFile,
    /// Writes another text into a file that is there.
    ChangeFile,
    /// Removes a file that is there.
    RemoveFile,
}

impl ActKind {
    /// All of them.
    pub const ALL: [ActKind; 13] = [
        ActKind::Put,
        ActKind::PutSeveral,
        ActKind::Change,
        ActKind::Delete,
        ActKind::PutAgain,
        ActKind::PutForeign,
        ActKind::DeleteForeign,
        ActKind::Burst,
        ActKind::DeleteMany,
        ActKind::Defaults,
        ActKind::WriteFile,
        ActKind::ChangeFile,
        ActKind::RemoveFile,
    ];

    /// It is done to files, not to rows.
    fn is_about_files(self) -> bool {
        matches!(self, ActKind::WriteFile | ActKind::ChangeFile | ActKind::RemoveFile)
    }
}

/// What default rows hold.
pub(super) const DEFAULT: &str = "default";

/// So few keys are there that people meet.
const KEYS: u8 = 4;

impl Act {
    /// Does it; returns it in a sentence, or none if there is nothing that it could be done to.
    pub(super) fn perform(&self, scene: &mut Scene, device: usize) -> Option<String> {
        if scene.world[scene.sites[device]].is_asleep() {
            return None;
        }
        if self.kind.is_about_files() {
            return scene.change_files(device, *self);
        }
        let table = match self.kind {
            ActKind::PutForeign | ActKind::DeleteForeign => Table::Paths,
            ActKind::Defaults => [Table::Lists, Table::Tags][usize::from(self.table % 2)],
            _ => Table::of(self.table),
        };
        scene.knows(device, table).then(|| self.change_rows(scene, device, table)).flatten()
    }

    fn change_rows(&self, scene: &mut Scene, device: usize, table: Table) -> Option<String> {
        let own = scene.keys[device].clone();
        let key = format!("k{}", self.amount % KEYS);
        let name = table.row(&key, &own);
        let properties = table.properties();
        let one = &properties[usize::from(self.amount / KEYS) % properties.len()..][..1];
        match self.kind {
            ActKind::Put => self.put(scene, device, name, one),
            ActKind::PutSeveral => self.put(scene, device, name, properties),
            ActKind::Change => {
                let name = self.shown(scene, device, table, |name| name.owner.is_empty() || name.owner == own)?;
                self.put(scene, device, name, one)
            }
            ActKind::Delete => {
                let name = self.shown(scene, device, table, |name| name.owner.is_empty() || name.owner == own)?;
                Some(delete(scene, device, name))
            }
            ActKind::PutAgain => {
                let gone = scene.model.rows().filter(|name| name.table == table.name());
                let gone = gone.filter(|name| name.owner.is_empty() || name.owner == own);
                let gone: Vec<RowName> = gone.filter(|name| !scene.shows(device, name)).cloned().collect();
                let name = gone.get(usize::from(self.amount) % gone.len().max(1))?.clone();
                self.put(scene, device, name, properties)
            }
            ActKind::PutForeign => {
                let name = self.shown(scene, device, table, |name| name.owner != own)?;
                self.put(scene, device, name, one)
            }
            ActKind::DeleteForeign => {
                let name = self.shown(scene, device, table, |name| name.owner != own)?;
                Some(delete(scene, device, name))
            }
            ActKind::Burst => {
                let many = self.amount % 50 + 5;
                for part in 0..many {
                    let values = [(properties[0], format!("{}.{part}", self.number))];
                    scene.put(device, table.row(&format!("b{part}"), &own), &values, false);
                }
                Some(format!("writes {many} rows of {}", table.name()))
            }
            ActKind::DeleteMany => {
                let shown = scene.shown_rows(device, table);
                let shown: Vec<RowName> =
                    shown.into_iter().filter(|name| name.owner.is_empty() || name.owner == own).collect();
                let many = shown.len();
                shown.into_iter().for_each(|name| scene.delete(device, name));
                (many > 0).then(|| format!("deletes {many} rows of {}", table.name()))
            }
            ActKind::Defaults => {
                for key in ["d0", "d1"] {
                    let name = table.row(key, &own);
                    if !scene.shows(device, &name) {
                        let values: Vec<_> =
                            properties.iter().map(|property| (*property, DEFAULT.to_owned())).collect();
                        scene.put(device, name, &values, true);
                    }
                }
                Some(format!("makes the default rows of {}", table.name()))
            }
            ActKind::WriteFile | ActKind::ChangeFile | ActKind::RemoveFile => None,
        }
    }

    fn put(&self, scene: &mut Scene, device: usize, name: RowName, properties: &[&'static str]) -> Option<String> {
        let value = |property: &&'static str| (*property, format!("{}.{property}", self.number));
        let values: Vec<_> = properties.iter().map(value).collect();
        let told = format!("writes {} of {}", show_values(&values), show(&name));
        scene.put(device, name, &values, false);
        Some(told)
    }

    /// One of the rows that the device shows.
    fn shown(&self, scene: &Scene, device: usize, table: Table, fits: impl Fn(&RowName) -> bool) -> Option<RowName> {
        let rows: Vec<RowName> = scene.shown_rows(device, table).into_iter().filter(|name| fits(name)).collect();
        rows.get(usize::from(self.amount) % rows.len().max(1)).cloned()
    }
}

fn delete(scene: &mut Scene, device: usize, name: RowName) -> String {
    let told = format!("deletes {}", show(&name));
    scene.delete(device, name);
    told
}

fn show_values(values: &[(&str, String)]) -> String {
    values.iter().map(|(property, value)| format!("{property}={value}")).collect::<Vec<_>>().join(" ")
}

/// A row in words.
pub(super) fn show(name: &RowName) -> String {
    let key = String::from_utf8_lossy(&name.key);
    match name.owner.first() {
        None => format!("{} {key}", name.table),
        Some(first) => format!("{} {key} of {first:02x}…", name.table),
    }
}
