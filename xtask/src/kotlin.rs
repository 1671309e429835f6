//! `cargo xtask kotlin`: the Kotlin package's tests, on the JVM.

use anyhow::{Result, ensure};

use crate::count::{self, Count};
use crate::shell::{answers, command};
use crate::{uniffi, workspace};

/// Generates the bindings, compiles the package and runs its tests.
///
/// # Errors
/// There is no JDK or Maven, or something does not compile.
pub fn test() -> Result<Count> {
    ensure!(answers("javac", &["-version"]), "expected a JDK of version 17 or newer, found none: install one");
    ensure!(answers("mvn", &["--version"]), "expected Maven, found none: install it");
    let libraries = uniffi::build()?;
    let generated = workspace::root().join("kotlin/target/generated-sources/uniffi");
    workspace::clear(&generated)?;
    uniffi::generate(&libraries, "kotlin", &generated)?;

    let mut maven = command("mvn", ["--batch-mode", "--no-transfer-progress", "--file", "kotlin/pom.xml"]);
    maven.arg(format!("-Dsyncline.libraries={}", libraries.display())).arg("test");
    count::tests(maven, count::surefire)
}
