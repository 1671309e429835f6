// swift-tools-version: 6.0
import PackageDescription

// `cargo xtask swift` fills `generated` before it runs this package's tests.
let package = Package(
    name: "Syncline",
    products: [.library(name: "Syncline", targets: ["Syncline"])],
    targets: [
        .systemLibrary(name: "SynclineCoreFFI", path: "generated/SynclineCoreFFI"),
        .systemLibrary(name: "SynclineUniffiFFI", path: "generated/SynclineUniffiFFI"),
        .target(
            name: "SynclineGenerated",
            dependencies: ["SynclineCoreFFI", "SynclineUniffiFFI"],
            path: "generated/SynclineGenerated",
            linkerSettings: [.linkedLibrary("syncline_uniffi")]
        ),
        .target(name: "Syncline", dependencies: ["SynclineGenerated"]),
        .testTarget(name: "SynclineTests", dependencies: ["Syncline"]),
    ]
)
