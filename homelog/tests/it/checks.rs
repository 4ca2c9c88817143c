use std::path::Path;

use crate::lab::{homelog, run, steady, told};

#[test]
fn a_config_with_five_mistakes_reports_five() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("homelog.toml");
    std::fs::write(
        &file,
        r#"[api]
listen = "localhost"
host = ["homelog.example.org"]

[store]
kind = "influx"

[[source]]
name = "server"
kind = "host"
interval = "5 parsecs"

[[source]]
name = "server"
kind = "docker"
"#,
    )
    .unwrap();
    let (code, stdout, stderr) = run(["check", "--config", file.to_str().unwrap()]);
    assert_eq!((code, stdout.as_str()), (64, ""));
    insta::assert_snapshot!(steady(&stderr, &[(&file, "homelog.toml")]));
}

#[test]
fn a_config_without_mistakes_is_fine_also_with_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("homelog.toml");
    std::fs::write(&file, "[[source]]\nname = \"server\"\nkind = \"host\"\n").unwrap();
    let check = |value: &str| {
        told(
            &homelog()
                .args(["check", "--config", file.to_str().unwrap()])
                .env("HOMELOG_RETENTION__RAW", value)
                .output()
                .unwrap(),
        )
    };
    let (code, stdout, stderr) = check("10d");
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.ends_with("is fine: 1 source\n"), "{stdout}");
    let (code, _, stderr) = check("often");
    assert_eq!(code, 64);
    assert!(stderr.contains("HOMELOG_RETENTION__RAW"), "{stderr}");
}

#[test]
fn a_config_that_is_not_there_is_told() {
    let (code, _, stderr) = run(["check", "--config", "/nonexistent/homelog.toml"]);
    assert_eq!(code, 64);
    assert!(
        stderr.contains("/nonexistent/homelog.toml cannot be read"),
        "{stderr}"
    );
    let (code, _, stderr) = run(["up", "--config", "/nonexistent/homelog.toml"]);
    assert_eq!(code, 64, "{stderr}");
}

#[test]
fn the_example_is_what_the_types_say() {
    let (code, written, _) = run(["config-example"]);
    assert_eq!(code, 0);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/homelog.example.toml");
    let kept = std::fs::read_to_string(path).unwrap();
    assert!(
        written == kept,
        "infra/homelog.example.toml is stale: run `make gen`"
    );
}

#[test]
fn wrong_use_is_64_and_help_is_0() {
    for wrong in [
        &["fly"][..],
        &[],
        &["up", "--listen", "everywhere"],
        &["up", "--colour", "red"],
        &["user", "add", "x", "--role", "king"],
        &["replay", "--from", "-1h", "--to", "now", "--into", "log"],
        &[
            "replay", "--from", "-1h", "--to", "now", "--into", "stdout", "--target", "x",
        ],
        &["collect", "--hub", "https://hub"],
        &["migrate", "--to", "mysql", "--config", "x"],
        &["dead-letters", "show", "first"],
        &["dead-letters", "retry"],
        &["replay", "--from", "now", "--to", "-1h", "--into", "stdout"],
        &[
            "replay",
            "--from",
            "yesterday",
            "--to",
            "now",
            "--into",
            "stdout",
        ],
    ] {
        let (code, stdout, stderr) = run(wrong);
        assert_eq!(code, 64, "{wrong:?}: {stderr}");
        assert!(stdout.is_empty() && !stderr.is_empty(), "{wrong:?}");
    }
    for right in [&["--help"][..], &["--version"], &["up", "--help"]] {
        let (code, stdout, stderr) = run(right);
        assert_eq!((code, stderr.as_str()), (0, ""), "{right:?}");
        assert!(!stdout.is_empty());
    }
}

#[test]
fn a_filter_that_is_none_is_told() {
    let output = homelog()
        .args(["config-example"])
        .env("HOMELOG_LOG", "very=loud=indeed")
        .output()
        .unwrap();
    let (code, _, stderr) = told(&output);
    assert_eq!(code, 64);
    assert!(stderr.contains("HOMELOG_LOG"), "{stderr}");
}

#[test]
fn commands_on_data_that_is_not_there_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    for args in [&["verify"][..], &["disk"], &["user", "list"]] {
        let (code, _, stderr) = run(args.iter().chain(&["--data", data]));
        assert_eq!(code, 1, "{args:?}");
        assert!(stderr.contains("there is no data of homelog"), "{stderr}");
    }
    let (code, _, stderr) = run(["health", "--url", "http://127.0.0.1:9"]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("http://127.0.0.1:9/health gives no answer"),
        "{stderr}"
    );
}
