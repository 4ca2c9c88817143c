use std::os::unix::fs::PermissionsExt;

use crate::lab::{Lab, free_port, run, steady};

/// Starts on data in which one file is not what it should be; the file must stay as it is.
fn refused(name: &str, content: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    std::fs::write(&file, content).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let data = dir.path().to_str().unwrap();
    let (code, stdout, stderr) = run(["up", "--data", data, "--listen", &listen]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert_eq!(stdout, "", "nothing is served");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(
        std::fs::read(&file).unwrap(),
        content,
        "the file was changed"
    );
    steady(&stderr, &[(dir.path(), "DATA")])
}

#[test]
fn a_file_of_another_program_is_told_and_left_alone() {
    let text = b"dear diary, this is no database at all ".repeat(200);
    let told: Vec<_> = ["log.db", "series.db", "control.db"]
        .iter()
        .map(|name| refused(name, &text))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn another_programs_database_is_told_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("other.db");
    let other = rusqlite::Connection::open(&file).unwrap();
    other
        .execute_batch("CREATE TABLE recipes(name TEXT); INSERT INTO recipes VALUES ('soup');")
        .unwrap();
    drop(other);
    let content = std::fs::read(&file).unwrap();
    let told: Vec<_> = ["log.db", "series.db", "control.db"]
        .iter()
        .map(|name| refused(name, &content))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[tokio::test]
async fn a_damaged_database_is_told() {
    let mut lab = Lab::start().await;
    lab.stop().await;
    for name in ["log.db", "series.db", "control.db"] {
        let mut content = std::fs::read(lab.data().join(name)).unwrap();
        // the header stays, so that it is ours; the rest is noise
        for (at, byte) in content.iter_mut().enumerate().skip(100) {
            *byte = u8::try_from(at * 31 % 251).unwrap();
        }
        let told = refused(name, &content);
        assert!(told.contains(name) && told.contains("damaged"), "{told}");
    }
}
