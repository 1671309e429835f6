//! The library: a database of the application's own, whose tables are kept in agreement.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};
use futures::executor::block_on;
use futures::{FutureExt, StreamExt};
use rusqlite::Connection;
use serde_json::json;
use syncline::Error;
use syncline::records::{Records, Watch};
use syncline::sqlite::{owned, shared};

use crate::rows::{Album, FilePath, Tag, TagOnFile};
use crate::scan;

pub(crate) struct Library {
    pub(crate) records: Records,
    /// For what is no other device's concern.
    sql: Connection,
    device: String,
    paths: Watch<FilePath>,
}

impl Library {
    /// Opens the library in a database, or begins one there.
    pub(crate) fn open(database: &Path) -> Result<Library> {
        let sql = Connection::open(database).with_context(|| format!("cannot open `{}`", database.display()))?;
        sql.busy_timeout(std::time::Duration::from_secs(10))?;
        sql.execute_batch(include_str!("schema.sql"))?;
        let name = database.file_stem().unwrap_or_default().to_string_lossy();
        // Two devices may have databases of one name.
        let begin =
            "INSERT INTO device SELECT ?1 || '-' || lower(hex(randomblob(2))) WHERE NOT EXISTS (SELECT 1 FROM device)";
        sql.execute(begin, [name])?;
        let device = sql.query_row("SELECT name FROM device", [], |row| row.get(0))?;
        let tables = [shared("albums"), shared("tags"), shared("tags_on_files"), owned("file_paths")];
        let records = Records::open(database, &tables)?;
        let paths = records.watch("file_paths")?;
        let library = Library { records, sql, device, paths };
        // Whatever ended the last run may have come between a batch and this.
        library.derive_files()?;
        Ok(library)
    }

    /// Brings this device's rows in `file_paths` to what is in a folder; how many were changed comes back.
    pub(crate) fn scan(&mut self, folder: &Path) -> Result<usize> {
        let found = scan::files(folder, &self.device)?;
        let changed = self.records.transaction(|rows| {
            let mut known = BTreeMap::new();
            for row in rows.all::<FilePath>("file_paths")? {
                if row.device == self.device && Path::new(&row.path).starts_with(folder) {
                    known.insert(row.path.clone(), row);
                }
            }
            let mut changed = 0;
            for file in found {
                match known.remove(&file.path) {
                    Some(row) if row == file => continue,
                    Some(_) => rows.update("file_paths", (&file.device, &file.path), &file)?,
                    None => drop(rows.create("file_paths", &file)?),
                }
                changed += 1;
            }
            for path in known.keys() {
                rows.delete("file_paths", (&self.device, path))?;
            }
            Ok::<_, Error>(changed + known.len())
        })?;
        self.take_changes()?;
        Ok(changed)
    }

    /// Puts a tag on what a file of this device holds.
    pub(crate) fn tag(&self, path: &str, tag: &str) -> Result<()> {
        self.records.transaction(|rows| {
            let Some(file) = rows.get::<FilePath>("file_paths", (&self.device, path))? else {
                bail!("`{path}` is no file of this library; scan its folder first");
            };
            if rows.get::<Tag>("tags", tag)?.is_none() {
                rows.create("tags", &Tag { name: tag.into() })?;
            }
            if rows.get::<TagOnFile>("tags_on_files", (&file.cas_id, tag))?.is_none() {
                rows.create("tags_on_files", &TagOnFile { cas_id: file.cas_id, tag: tag.into() })?;
            }
            Ok(())
        })
    }

    /// Makes an album, or says of which year one is that is there.
    pub(crate) fn album(&self, name: &str, year: Option<i64>) -> Result<()> {
        let albums = self.records.all::<Album>("albums")?;
        match albums.iter().find(|album| album.name == name) {
            Some(album) => self.records.update("albums", &album.id, &json!({ "year": year }))?,
            None => drop(self.records.create("albums", &json!({ "name": name, "year": year }))?),
        }
        Ok(())
    }

    /// What the library holds, the same text on every device that holds the same.
    pub(crate) fn list(&self) -> Result<String> {
        let mut lines = Vec::new();
        let albums: BTreeSet<Album> = self.records.all("albums")?.into_iter().collect();
        for Album { name, year, .. } in &albums {
            lines.push(format!("album  {name}{}", year.map_or_else(String::new, |year| format!(" ({year})"))));
        }
        let paths = self.records.all::<FilePath>("file_paths")?;
        let tags = self.records.all::<TagOnFile>("tags_on_files")?;
        let mut files = self.sql.prepare("SELECT cas_id, size, copies FROM files ORDER BY cas_id")?;
        let files = files.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        for file in files {
            let (cas_id, size, copies): (String, i64, i64) = file?;
            let tags = tags.iter().filter(|tag| tag.cas_id == cas_id).map(|tag| format!(" #{}", tag.tag));
            lines.push(format!("file   {cas_id}  {size} bytes, paths: {copies}{}", tags.collect::<String>()));
            for FilePath { device, path, .. } in paths.iter().filter(|path| path.cas_id == cas_id) {
                lines.push(format!("       {device}: {path}"));
            }
        }
        Ok(lines.join("\n"))
    }

    /// Derives `files` anew if paths were changed since this was last asked. All that came meanwhile is taken at once.
    pub(crate) fn take_changes(&mut self) -> Result<()> {
        let mut has_changed = false;
        while let Some(Some(change)) = self.paths.next().now_or_never() {
            change?;
            has_changed = true;
        }
        if has_changed {
            self.derive_files()?;
        }
        Ok(())
    }

    /// Derives `files` anew after each batch that comes, for ever, and says how many there are.
    pub(crate) fn follow_changes(&mut self) -> Result<()> {
        while let Some(change) = block_on(self.paths.next()) {
            change?;
            self.take_changes()?;
            self.derive_files()?;
            let files: i64 = self.sql.query_row("SELECT count(*) FROM files", [], |row| row.get(0))?;
            println!("{files} files");
        }
        Ok(())
    }

    /// One row for each content, whoever has it. A deleted path does not tell which content it had, so all are derived; that is
    /// one statement.
    fn derive_files(&self) -> Result<()> {
        self.sql.execute_batch(
            "BEGIN IMMEDIATE; DELETE FROM files;
             INSERT INTO files SELECT cas_id, max(size), count(*) FROM file_paths GROUP BY cas_id; COMMIT;",
        )?;
        Ok(())
    }
}
