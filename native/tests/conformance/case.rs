//! The data's form. What it does not know is an error, so that no case is understood in part.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What `$a` and `$b` stand for.
pub const FEED_A: &str = "6d0f2f3e-58b5-4c52-9f0c-0d4a1e6a7b01";
pub const FEED_B: &str = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    #[serde(default)]
    pub needs: Vec<String>,
    #[serde(default = "yes")]
    pub session: bool,
    pub setup: Vec<Thing>,
    pub steps: Vec<Step>,
    pub after: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Thing {
    Directory { directory: String },
    Text { file: String, text: String },
    Zeros { file: String, size: u64 },
    Link { link: String, to: String },
    Placeholder { placeholder: String },
    Fifo { fifo: String },
    Raw { raw: String, r#in: String },
    Many { many: String, count: usize, length: usize },
}

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Step {
    List { list: String, expect: Listing },
    Page { page: u64, of: String, expect: String },
    Probe { probe: Vec<String>, count: Option<String>, entries: Option<u64>, expect: Vec<String> },
    Read { read: Vec<String>, bytes_max: u32, expect: Vec<String> },
    Create { create: Vec<(String, String)>, expect: Vec<String> },
    Remove { remove: Vec<String>, expect: Vec<String> },
    Fetch { fetch: Vec<String>, expect: Vec<String> },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Listing {
    Failure(String),
    Entries(Entries),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entries {
    pub entries: Option<BTreeMap<String, String>>,
    pub messages: Option<Vec<String>>,
    pub count: Option<usize>,
    pub pages_min: Option<usize>,
}

fn yes() -> bool {
    true
}
