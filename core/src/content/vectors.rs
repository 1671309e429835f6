//! Content ids written down once (`tests/vectors/content.json`), so that no change moves a cut or an id unnoticed and
//! every language can be held to the same ones.

use std::string::String;
use std::vec::Vec;

use serde::Deserialize;

use super::*;
use crate::api::Content;

/// A file made by rule, and what it is called.
#[derive(Deserialize)]
struct Vector {
    name: String,
    make: Make,
    size: usize,
    content: String,
    chunks: Vec<u32>,
    manifest: Option<String>,
}

/// How a file's bytes are made.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Make {
    /// This byte over and over.
    Byte(u8),
    /// The extended output of BLAKE3 of this text.
    Blake3(String),
    /// The first `period` bytes of BLAKE3's extended output for `of`, over and over.
    Repeat { of: String, period: usize },
}

fn noise(text: &str, length: usize) -> Vec<u8> {
    let mut bytes = std::vec![0; length];
    blake3::Hasher::new().update(text.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn make(vector: &Vector) -> Vec<u8> {
    match &vector.make {
        Make::Byte(byte) => std::vec![*byte; vector.size],
        Make::Blake3(text) => noise(text, vector.size),
        Make::Repeat { of, period } => noise(of, *period).into_iter().cycle().take(vector.size).collect(),
    }
}

#[test]
fn contents_have_the_ids_written_down() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../../tests/vectors/content.json")).unwrap();
    assert!(vectors.len() >= 10);
    for vector in vectors {
        let hashed = hash(&make(&vector)).unwrap();
        let Content::File { hash, size } = hashed.content else { panic!("{}: expected a file", vector.name) };
        assert_eq!(size, vector.size as u64, "{}", vector.name);
        let chunks = hashed.manifest.iter().flat_map(|manifest| manifest.chunks().iter().map(|chunk| chunk.length));
        assert_eq!(chunks.collect::<Vec<u32>>(), vector.chunks, "{}", vector.name);
        let manifest = hashed.manifest.map(|manifest| Hash::from(blake3::hash(&manifest.encode())).to_hex());
        assert_eq!(manifest, vector.manifest, "{}", vector.name);
        assert_eq!(hash.to_hex(), vector.content, "{}", vector.name);
    }
}

#[test]
fn some_ids_are_known_from_elsewhere() {
    // The first is BLAKE3's own published hash of nothing.
    let empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    let hashed = hash(&[]).unwrap();
    assert_eq!(hashed.content, Content::File { hash: blake3::Hash::from_hex(empty).unwrap().into(), size: 0 });
    assert_eq!(hashed.manifest, None);
}
