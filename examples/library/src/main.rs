//! A little library of files on typed records. See its README.

mod library;
mod rows;
mod scan;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use syncline::records::Partner;

use library::Library;

#[derive(Parser)]
#[command(about = "A little library of files, the same on all your devices")]
struct Arguments {
    /// The library's database; it is made if it is not there.
    database: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Notes which files a folder holds.
    Scan { folder: PathBuf },
    /// Puts a tag on a file that was found.
    Tag { file: String, tag: String },
    /// Makes an album, or says of which year it is.
    Album { name: String, year: Option<i64> },
    /// Prints what the library holds.
    List,
    /// Brings the library together with another one.
    Sync(SyncArguments),
}

#[derive(Args)]
struct SyncArguments {
    /// The other library's database.
    #[arg(required_unless_present = "via", conflicts_with = "via")]
    other: Option<PathBuf>,
    /// A folder that something else carries, with all who use it.
    #[arg(long)]
    via: Option<PathBuf>,
    /// Goes on until it is interrupted.
    #[arg(long)]
    follow: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut library = Library::open(&arguments.database)?;
    match arguments.command {
        Command::Scan { folder } => println!("{} paths changed", library.scan(&folder)?),
        Command::Tag { file, tag } => library.tag(&file, &tag)?,
        Command::Album { name, year } => library.album(&name, year)?,
        Command::List => println!("{}", library.list()?),
        Command::Sync(arguments) => sync(library, &arguments)?,
    }
    Ok(())
}

fn sync(mut library: Library, arguments: &SyncArguments) -> Result<()> {
    let mut other = arguments.other.as_deref().map(Library::open).transpose()?;
    let partner = match (&other, &arguments.via) {
        (Some(other), _) => Partner::Database(&other.records),
        // One of the two is there: clap sees to it.
        (None, via) => Partner::Folder { path: via.as_deref().unwrap_or(Path::new("")), key: None },
    };
    if !arguments.follow {
        library.records.sync(partner, Arc::new(()))?;
        library.take_changes()?;
        return other.as_mut().map_or(Ok(()), Library::take_changes);
    }
    let following = library.records.follow(partner, Arc::new(()))?;
    for mut library in [Some(library), other].into_iter().flatten() {
        thread::spawn(move || {
            if let Err(error) = library.follow_changes() {
                eprintln!("{error:#}");
            }
        });
    }
    following.wait()?;
    Ok(())
}
