//! Adding an integration touches one new file and one registration line, and nothing else. This does it to a copy of the
//! workspace and runs there what holds for every integration, with the new one among them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use homelog_tests::workspace;

const REGISTRY: &str = "collector/src/integrations.rs";
const NEW: &str = "thermometer";

/// What cargo needs of the workspace, by path below it.
fn files() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
        ])
        .args([
            "*.rs",
            "*Cargo.toml",
            "Cargo.lock",
            "clippy.toml",
            "schemas/golden",
            // what sources take in as text
            "*/src/*.py",
            "*/src/*.txt",
        ])
        .current_dir(workspace())
        .output()
        .expect("git starts");
    assert!(output.status.success(), "git ls-files failed");
    String::from_utf8(output.stdout)
        .expect("paths are text")
        .split_terminator('\0')
        .map(PathBuf::from)
        .filter(|path| workspace().join(path).exists())
        .collect()
}

/// Writes a file unless it is there with the same content already, so that a second run compiles nothing anew.
fn write(path: &Path, content: &[u8]) {
    if fs::read(path).is_ok_and(|there| there == content) {
        return;
    }
    fs::create_dir_all(path.parent().expect("a file has a directory")).expect("a directory");
    fs::write(path, content).expect("a writable target directory");
}

/// The registry with one more name in its list, where the alphabet wants it.
fn with_new_name(registry: &str) -> String {
    let (before, rest) = registry
        .split_once("integrations! {")
        .expect("the list of integrations");
    let (list, after) = rest.split_once('}').expect("the end of the list");
    let mut names: Vec<_> = list
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    assert!(names.len() > 1, "the list has integrations: {names:?}");
    names.push(NEW);
    names.sort_unstable();
    format!("{before}integrations! {{ {} }}{after}", names.join(", "))
}

#[test]
fn one_new_file_and_one_line() {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("one-more-integration");
    for path in files() {
        let content = fs::read(workspace().join(&path)).expect("a file of the workspace");
        if path != Path::new(REGISTRY) {
            write(&copy.join(&path), &content);
        }
    }
    // the one line
    let registry = fs::read_to_string(workspace().join(REGISTRY)).expect("the registry");
    write(&copy.join(REGISTRY), with_new_name(&registry).as_bytes());
    // the one file
    let fixture = workspace().join("tests/fixtures").join(format!("{NEW}.rs"));
    write(
        &copy.join(format!("collector/src/integrations/{NEW}.rs")),
        &fs::read(fixture).expect("the fixture"),
    );

    let tested = Command::new(env!("CARGO"))
        .args([
            "test",
            "--offline",
            "--locked",
            "-p",
            "collector",
            "--lib",
            "--",
        ])
        .args([
            "integrations::tests",
            "integrations::thermometer",
            "tests::each_metric",
        ])
        .current_dir(&copy)
        // where the dependencies are built already
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join(".."))
        // cargo knows a member of a workspace by its path within it: with the same profile the copy's builds would pass
        // for those of the original, which would then not be built again when it changes
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .output()
        .expect("cargo starts");
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&tested.stdout),
        String::from_utf8_lossy(&tested.stderr)
    );
    assert!(tested.status.success(), "{told}");
    for passed in [
        "integrations::tests::kinds_are_unique_and_sorted ... ok",
        "integrations::tests::every_example_is_read_by_its_integration ... ok",
        "integrations::thermometer::tests::a_reading_becomes_a_sample ... ok",
        "integrations::thermometer::tests::what_is_no_number_is_a_bad_answer ... ok",
        "each_metric_means_one_thing_and_says_what ... ok",
    ] {
        assert!(told.contains(passed), "`{passed}` is not in:\n{told}");
    }
}
