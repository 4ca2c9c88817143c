//! What is committed must be what `make gen` writes.

#![expect(clippy::unwrap_used, reason = "a test says where it failed")]

use std::{collections::BTreeMap, fs, path::Path};

fn files(directory: &Path) -> BTreeMap<String, String> {
    fs::read_dir(directory)
        .unwrap_or_else(|e| panic!("{}: {e}", directory.display()))
        .map(|entry| {
            let entry = entry.unwrap();
            (
                entry.file_name().into_string().unwrap(),
                fs::read_to_string(entry.path()).unwrap(),
            )
        })
        .collect()
}

fn assert_same(committed: &Path, fresh: &Path) {
    let (committed, fresh) = (files(committed), files(fresh));
    assert_eq!(
        committed.keys().collect::<Vec<_>>(),
        fresh.keys().collect::<Vec<_>>(),
        "run `make gen` and commit"
    );
    for (name, text) in &fresh {
        assert!(
            committed.get(name) == Some(text),
            "{name} is stale: run `make gen` and commit"
        );
    }
}

#[test]
fn typescript_is_fresh() {
    let fresh = tempfile::tempdir().unwrap();
    schemas::export::typescript(fresh.path()).unwrap();
    assert_same(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboard/src/api/generated"),
        fresh.path(),
    );
}

#[test]
fn json_schema_is_fresh() {
    let fresh = tempfile::tempdir().unwrap();
    schemas::export::json_schema(fresh.path()).unwrap();
    assert_same(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("generated"),
        fresh.path(),
    );
}
