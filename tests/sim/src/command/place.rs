//! Where stories are written, and how.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};
use syncline_sim::story::Record;

/// A turn stands on one line: this deep it begins.
const DEPTH_MAX: usize = 3;

/// The folder of the stories that every test plays.
pub fn kept() -> PathBuf {
    package().join("kept")
}

/// The folder of the stories that failed lately.
pub fn failed() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| package().join("../../target")).join("sim")
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of the kept stories, by name.
///
/// # Errors
/// The folder cannot be read.
pub fn kept_files() -> Result<Vec<PathBuf>> {
    let folder = kept();
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}

/// Reads a story.
///
/// # Errors
/// There is no such file, or no story in it.
pub fn read(file: &Path) -> Result<Record> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("expected a story in {}, found something else", file.display()))
}

/// Writes a story down as `<name>.json` and returns the file.
///
/// # Errors
/// It cannot be written.
pub fn write(folder: &Path, name: &str, record: &Record) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let folder = folder.canonicalize()?;
    let file = folder.join(format!("{name}.json"));
    fs::write(&file, text(record)?).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// The file as one says it from here.
pub fn show(file: &Path) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_default();
    file.strip_prefix(here).unwrap_or(file).display().to_string()
}

fn text(record: &Record) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    record.serialize(&mut Serializer::with_formatter(&mut text, Lines::default()))?;
    text.push(b'\n');
    Ok(text)
}

/// Writes what lies near the top line by line, and what lies deeper on one line each.
#[derive(Default)]
struct Lines {
    depth: usize,
    pretty: PrettyFormatter<'static>,
}

impl Lines {
    fn is_deep(&self) -> bool {
        self.depth > DEPTH_MAX
    }
}

macro_rules! choose {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {
        $(fn $name<W: ?Sized + Write>(&mut self, writer: &mut W $(, $argument: $type)*) -> io::Result<()> {
            if self.is_deep() {
                CompactFormatter.$name(writer $(, $argument)*)
            } else {
                self.pretty.$name(writer $(, $argument)*)
            }
        })*
    };
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        if self.is_deep() { CompactFormatter.begin_array(writer) } else { self.pretty.begin_array(writer) }
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        let is_deep = self.is_deep();
        self.depth -= 1;
        if is_deep { CompactFormatter.end_array(writer) } else { self.pretty.end_array(writer) }
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        if self.is_deep() { CompactFormatter.begin_object(writer) } else { self.pretty.begin_object(writer) }
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        let is_deep = self.is_deep();
        self.depth -= 1;
        if is_deep { CompactFormatter.end_object(writer) } else { self.pretty.end_object(writer) }
    }

    choose! {
        begin_array_value(first: bool);
        end_array_value();
        begin_object_key(first: bool);
        begin_object_value();
        end_object_value();
    }
}

#[cfg(test)]
mod tests {
    use syncline_sim::{Genre, Tale, story::Swarm};

    use super::*;

    #[test]
    fn a_record_has_a_line_for_each_turn_and_comes_back() {
        for genre in [Genre::Trees, Genre::Carried, Genre::Folders, Genre::Records] {
            let story = Tale::draw(genre, Swarm::default(), 3, 4, 20);
            let record = Record { about: "a test".into(), invariant: None, planted: None, story };
            let text = text(&record).expect("plain data");
            let lines = String::from_utf8(text.clone()).expect("text").lines().count();
            assert!((20..80).contains(&lines), "{lines}");
            assert_eq!(serde_json::from_slice::<Record>(&text).expect("what was written"), record);
        }
    }
}
