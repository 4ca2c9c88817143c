//! Reads YAML as Python's parser does, merge keys included; only files that are tested need it.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

const PROGRAM: &str =
    "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";

/// The content of a YAML file.
///
/// # Errors
/// It is none, or Python's YAML parser is not installed.
pub fn read(file: &Path) -> Result<Value> {
    let output = Command::new("python3")
        .args(["-c", PROGRAM])
        .arg(file)
        .output()
        .context("python3 is not installed: scripts/install-missing test")?;
    ensure!(
        output.status.success(),
        "{}: {}",
        file.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}
