//! Writes the generated files of this room: `cargo run -p schemas --example gen`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let room = Path::new(env!("CARGO_MANIFEST_DIR"));
    let typescript = room.join("../dashboard/src/api/generated");
    if typescript.exists() {
        std::fs::remove_dir_all(&typescript)?;
    }
    schemas::export::typescript(&typescript)?;
    schemas::export::json_schema(&room.join("generated"))
}
