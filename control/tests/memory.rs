//! A login costs memory for a moment, not for good. Alone in its process, so that nothing else is measured.

use control::Passwords;
use secrecy::SecretString;

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status of this process");
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|kib| kib.trim().parse().ok())
        .expect("a VmRSS line")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hashes_leave_no_memory_behind() {
    let passwords = Passwords::new();
    let before = resident_kib();
    for _ in 0..6 {
        let mut checks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let passwords = passwords.clone();
            checks
                .spawn(async move { passwords.verify(SecretString::from("anything"), None).await });
        }
        for outcome in checks.join_all().await {
            assert!(!outcome.expect("a usable hash"));
        }
    }
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 6 * 1024, "24 hashes left {grown} KiB behind");
}
