//! Generates the Swift and Kotlin code from the compiled library; `cargo xtask swift` and `kotlin` run it.

fn main() {
    uniffi::uniffi_bindgen_main();
}
