//! The engine for Swift and Kotlin.
uniffi::setup_scaffolding!();
