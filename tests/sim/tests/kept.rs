//! Every story that once showed a bug is played again.

use std::{fs, path::Path};

use syncline_sim::story::{Options, Record};

#[test]
fn kept_stories_break_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kept");
    let mut broken = Vec::new();
    let mut played = 0;
    for entry in fs::read_dir(&folder).expect("the folder of kept stories") {
        let file = entry.expect("a file").path();
        if file.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = fs::read(&file).expect("a file that can be read");
        let record: Record = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        assert!(!record.about.is_empty() && !record.about.contains('\n'), "{file:?}: expected a line about it");
        assert_eq!(record.planted, None, "{file:?}: kept stories show bugs of the engine itself");
        played += 1;
        let story = record.story.play(Options::default());
        if let Some(violation) = story.violation {
            broken.push(format!("{}: {}\n{}\n{violation}", file.display(), record.about, story.told.join("\n")));
        }
    }
    assert!(broken.is_empty(), "{} of {played} stories break a promise\n{}", broken.len(), broken.join("\n\n"));
}
