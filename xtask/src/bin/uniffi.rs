//! Generates the Swift and Kotlin code from the compiled library; `cargo xtask swift` and `kotlin` run it.
//!
//! It reads the library's symbols, so that it need not be compiled with the library, nor again when that changes.

fn main() {
    uniffi::uniffi_bindgen_main();
}
