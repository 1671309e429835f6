//! Bytes that files have in common travel once.

use syncline_core::api::NoticeCode;
use syncline_sim::{Tree, World};

/// Bytes that are cut into several chunks.
fn large(seed: u64) -> Vec<u8> {
    (0..60_000u64).flat_map(|number| (number.wrapping_mul(seed | 1)).to_le_bytes()).collect()
}

#[test]
fn equal_files_of_many_chunks_are_fetched_once() {
    for seed in 0..20 {
        let bytes = large(0x9e37_79b9_7f4a_7c15);
        let mut folder = Tree::default();
        for number in 0..6 {
            folder = folder.with(&format!("{number}"), bytes.clone());
        }
        let (world, a, b) = World::pair(seed, folder.clone(), Tree::default());
        world.assert_all(&folder);
        assert!(!world[b].has_notice(NoticeCode::ChunkCorrupt), "a whole file was taken for a single chunk");
        let sent = world[a].counts().sent_bytes;
        assert!(sent < bytes.len() as u64 * 3 / 2, "{sent} bytes were sent for {} bytes of content", bytes.len());
    }
}
