//! What must hold whatever bytes come: one oracle for each fuzz target.
//!
//! An oracle takes bytes and panics, with a sentence, if a promise is broken: no panic in the engine, memory that
//! follows from what was received, one form of everything that is read, typed errors, the rules of the boundary. The
//! fuzzers in `tests/fuzz` and the tests of this crate call the same functions.
//!
//! Memory is counted by thread; this crate therefore replaces the allocator of what links it.

mod decoders;
mod engine;
mod hasher;
mod link;
mod log;
mod member;
mod memory;
mod records;
mod script;
mod seeds;
mod texts;

pub use self::{
    decoders::{frame, introduction, listing, manifest, message, sets},
    engine::{engine, engine_pair, store},
    hasher::hasher,
    link::{packets_target as packets, session},
    log::log,
    seeds::{drawn_day, seeds},
    texts::{name, stamp},
};

/// A fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: of its fuzzer and of its corpus.
    pub name: &'static str,
    /// What judges an input.
    pub oracle: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "engine", oracle: engine },
    Target { name: "engine_pair", oracle: engine_pair },
    Target { name: "frame", oracle: frame },
    Target { name: "hasher", oracle: hasher },
    Target { name: "introduction", oracle: introduction },
    Target { name: "listing", oracle: listing },
    Target { name: "log", oracle: log },
    Target { name: "manifest", oracle: manifest },
    Target { name: "message", oracle: message },
    Target { name: "name", oracle: name },
    Target { name: "packets", oracle: packets },
    Target { name: "session", oracle: session },
    Target { name: "sets", oracle: sets },
    Target { name: "stamp", oracle: stamp },
    Target { name: "store", oracle: store },
];
