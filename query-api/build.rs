//! Makes cargo look at the built dashboard, so that a new build of it comes into the program.

use std::path::Path;

fn main() {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboard/dist");
    // an empty folder is watched, while one that is missing would have this package built every time
    if std::fs::create_dir_all(&built).is_err() {
        println!("cargo:warning=dashboard/dist cannot be made: the dashboard is not embedded");
    }
    println!("cargo:rerun-if-changed={}", built.display());
    println!("cargo:rerun-if-changed=build.rs");
}
