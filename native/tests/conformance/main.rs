//! The native host against what every host must do (`tests/conformance`).

mod case;
mod stage;
mod step;

use std::fs;

use case::{Case, Cases};

/// What this platform lacks.
#[cfg(target_os = "linux")]
const LACKING: &[&str] = &[];
#[cfg(not(target_os = "linux"))]
const LACKING: &[&str] = &["raw-names"];

fn cases() -> Vec<Case> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/conformance/folder.json");
    let text = fs::read_to_string(path).unwrap();
    let text = text.replace("$a", case::FEED_A).replace("$b", case::FEED_B);
    serde_json::from_str::<Cases>(&text).unwrap().cases
}

#[test]
fn message_folders_conform() {
    let cases = cases();
    let mut failures = Vec::new();
    for case in &cases {
        if let Some(need) = case.needs.iter().find(|need| LACKING.contains(&need.as_str())) {
            println!("left out, for this platform has no {need}: {}", case.name);
            continue;
        }
        failures.extend(stage::play(case).into_iter().map(|failure| format!("{}: {failure}", case.name)));
    }
    assert!(!cases.is_empty());
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn a_case_that_expects_something_else_fails() {
    let wrong = r#"{"cases": [{"name": "wrong", "setup": [{"file": "d/1", "text": "one"}, {"placeholder": "d/2"}], "steps": [
        {"list": "d", "expect": {"entries": {"1": "file"}}},
        {"list": "d", "expect": {"messages": ["1"]}},
        {"list": "d", "expect": {"count": 1}},
        {"list": "d", "expect": {"pages_min": 2}},
        {"list": "d", "expect": "!missing"},
        {"list": "none", "expect": {"count": 0}},
        {"probe": ["d/1"], "expect": ["placeholder"]},
        {"probe": ["d/1"], "expect": []},
        {"read": ["d/1"], "bytes_max": 9, "expect": ["=two"]},
        {"read": ["d/2"], "bytes_max": 9, "expect": ["!missing"]},
        {"page": 1, "of": "d", "expect": "!missing"},
        {"create": [["d/1", "x"]], "expect": ["done"]},
        {"remove": ["d/3"], "expect": ["!missing"]},
        {"fetch": ["d/3"], "expect": ["done"]}
    ], "after": {"d": "/", "d/1": "=one"}}]}"#;
    let cases = serde_json::from_str::<Cases>(wrong).unwrap().cases;
    let [case] = cases.as_slice() else { panic!("one case") };
    let failures = stage::play(case);
    assert_eq!(failures.len(), case.steps.len() + 1, "{failures:#?}");
}
