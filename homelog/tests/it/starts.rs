use std::net::TcpListener;

use crate::lab::{Lab, free_port, homelog, run, steady, told};

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused_and_told_who_holds_it() {
    let lab = Lab::start().await;
    let data = lab.data();
    let listen = format!("127.0.0.1:{}", free_port());
    let (code, stdout, stderr) = run(["up", "--data", data.to_str().unwrap(), "--listen", &listen]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    let pid = format!("(pid {})", lab.pid());
    insta::assert_snapshot!(steady(&stderr, &[(&data, "DATA")]).replace(&pid, "(pid PID)"));
}

#[test]
fn a_taken_port_names_its_holder_and_the_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (code, _, stderr) = run([
        "up",
        "--data",
        data.to_str().unwrap(),
        "--listen",
        &address.to_string(),
    ]);
    assert_eq!(code, 1);
    let name = std::fs::read_to_string("/proc/self/comm").unwrap();
    let holder = format!("{} (pid {})", name.trim(), std::process::id());
    let other = format!("127.0.0.1:{}", address.port() + 1);
    let steady = stderr
        .replace(&holder, "NAME (pid PID)")
        .replace(&other, "127.0.0.1:OTHER")
        .replace(&address.port().to_string(), "PORT");
    insta::assert_snapshot!(steady);
}

#[test]
fn a_directory_that_cannot_be_written_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "something else").unwrap();
    let (code, _, stderr) = run(["up", "--data", file.to_str().unwrap()]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(steady(&stderr, &[(&file, "FILE")]));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "something else");
    // nobody may make files there, not even root
    for data in ["/proc", "/proc/homelog"] {
        let (code, stdout, stderr) = run(["up", "--data", data]);
        assert_eq!((code, stdout.as_str()), (1, ""));
        assert!(
            stderr.contains("--data DIR") && stderr.contains(data),
            "{stderr}"
        );
    }
}

#[test]
fn without_a_home_the_flag_is_named() {
    let output = homelog().env_remove("HOME").arg("up").output().unwrap();
    let (code, _, stderr) = told(&output);
    assert_eq!(code, 1);
    assert!(stderr.contains("--data DIR"), "{stderr}");
}

#[tokio::test]
async fn the_data_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::start().await;
    let mode = std::fs::metadata(lab.data()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn the_environment_chooses_the_port() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("homelog"))
        .args(["up", "--data", dir.path().join("data").to_str().unwrap()])
        .env_clear()
        .env("HOMELOG_API__LISTEN", format!("127.0.0.1:{port}"))
        .env("HOMELOG_SOURCE__HERE__KIND", "host")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let health = format!("http://127.0.0.1:{port}");
    let mut told = (1, String::new(), String::new());
    for _ in 0..300 {
        told = run(["health", "--url", &health]);
        if told.1.contains("here:") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let (code, stdout, stderr) = told;
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.starts_with("healthy\n") && stdout.contains("here: healthy"),
        "{stdout}"
    );
}
