//! The configuration is read again while the process runs.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::lab::Lab;

const SOON: Duration = Duration::from_secs(20);

fn host(name: &str, interval: &str) -> String {
    format!("[[source]]\nname = \"{name}\"\nkind = \"host\"\ninterval = \"{interval}\"\n")
}

fn write(lab: &Lab, config: &str) {
    // as an editor does: the new file takes the place of the old
    let new = lab.path("homelog.toml.new");
    std::fs::write(&new, config).unwrap();
    std::fs::rename(new, lab.path("homelog.toml")).unwrap();
}

/// Waits until it has told something `times` times.
async fn told(lab: &Lab, what: &str, times: usize) {
    let end = std::time::Instant::now() + SOON;
    while lab.stderr().matches(what).count() < times {
        assert!(
            std::time::Instant::now() < end,
            "it does not tell `{what}` {times} times: {}",
            lab.stderr()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until a source has a state, and returns what is said of it.
async fn has_state(lab: &Lab, token: &str, name: &str, state: &str) -> Value {
    let end = std::time::Instant::now() + SOON;
    loop {
        let answer = lab.get(token, "/api/v1/sources").await;
        let found = answer
            .get("sources")
            .and_then(Value::as_array)
            .unwrap()
            .iter()
            .find(|source| source["name"] == name && source["state"] == state);
        if let Some(found) = found {
            return found.clone();
        }
        assert!(
            std::time::Instant::now() < end,
            "{name} is not {state}: {answer}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn sources_follow_the_file_and_nothing_else_stops() {
    let mut lab = Lab::start().await;
    let token = lab.token();
    has_state(&lab, &token, "server", "up").await;

    write(&lab, &(host("server", "1s") + &host("second", "1s")));
    told(
        &lab,
        "sources changed: started second; started again none; removed none; 1 go on",
        1,
    )
    .await;
    has_state(&lab, &token, "second", "up").await;

    write(&lab, &(host("server", "1s") + &host("second", "2s")));
    told(
        &lab,
        "started none; started again second; removed none; 1 go on",
        1,
    )
    .await;

    write(&lab, &host("server", "1s"));
    told(
        &lab,
        "started none; started again none; removed second; 1 go on",
        1,
    )
    .await;
    let removed = has_state(&lab, &token, "second", "removed").await;
    assert_eq!(removed["reason"], "it is no longer configured");
    let health = lab.get(&token, "/health").await;
    assert_eq!(health["services"].get("second"), None, "{health}");
    lab.stop().await;
}

#[tokio::test]
async fn a_bad_file_is_refused_whole_and_the_rest_of_a_good_one_waits_for_a_restart() {
    let mut lab = Lab::start().await;
    let token = lab.token();
    has_state(&lab, &token, "server", "up").await;
    write(
        &lab,
        &(host("second", "1s") + "colour = \"red\"\n" + "[api]\nlisten = 7\n"),
    );
    told(&lab, "is not taken, for the errors above", 1).await;
    let stderr = lab.stderr();
    assert!(
        stderr.contains("homelog.toml:5: `colour` is not an option of kind `host`"),
        "{stderr}"
    );
    assert!(stderr.contains("homelog.toml:7: `listen`"), "{stderr}");
    lab.signal(Signal::HUP);
    told(&lab, "is not taken, for the errors above", 2).await;
    assert!(
        !lab.stderr().contains("sources changed"),
        "{}",
        lab.stderr()
    );
    has_state(&lab, &token, "server", "up").await;

    write(
        &lab,
        &(host("server", "1s") + "[retention]\nraw = \"2h\"\n"),
    );
    told(&lab, "[retention] changed in", 1).await;
    lab.signal(Signal::HUP);
    told(&lab, "was read again", 2).await;
    assert!(
        !lab.stderr().contains("started again server"),
        "{}",
        lab.stderr()
    );
    lab.stop().await;
}

#[tokio::test]
async fn a_secret_that_changes_starts_its_source_again() {
    let mut lab = Lab::new();
    std::fs::write(lab.path("token"), "one").unwrap();
    let proxmox = "[[source]]\nname = \"pve\"\nkind = \"proxmox\"\nurl = \"http://127.0.0.1:1\"\n\
                   username = \"a@pve\"\npassword_file = \"token\"\ninterval = \"1h\"\n";
    write(&lab, &(host("server", "1s") + proxmox));
    lab.up(&[("HOMELOG_ADMIN_PASSWORD", crate::lab::PASSWORD)])
        .await;
    let token = lab.token();
    has_state(&lab, &token, "server", "up").await;
    std::fs::write(lab.path("token"), "another").unwrap();
    told(&lab, "started again pve; removed none; 1 go on", 1).await;
    assert!(!lab.stderr().contains("another"), "{}", lab.stderr());
    std::fs::remove_file(lab.path("token")).unwrap();
    told(&lab, "is not taken, for the errors above", 1).await;
    std::fs::write(lab.path("token"), "one").unwrap();
    told(&lab, "started again pve; removed none; 1 go on", 2).await;
    lab.stop().await;
}

#[tokio::test]
async fn an_authority_that_changes_starts_its_source_again() {
    let authority = |name: &str| {
        let signed = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        signed.cert.pem()
    };
    let (one, another) = (authority("one"), authority("another"));
    let mut lab = Lab::new();
    let replace = |lab: &Lab, text: &str| {
        std::fs::write(lab.path("ca.new"), text).unwrap();
        std::fs::rename(lab.path("ca.new"), lab.path("ca.pem")).unwrap();
    };
    replace(&lab, &one);
    // from the directory of the config file, wherever the process was started
    let proxmox = "[[source]]\nname = \"pve\"\nkind = \"proxmox\"\nurl = \"https://127.0.0.1:1\"\n\
                   username = \"a@pve\"\npassword = \"x\"\ninterval = \"1h\"\ntls = { ca = \"ca.pem\" }\n";
    write(&lab, &(host("server", "1s") + proxmox));
    lab.up(&[("HOMELOG_ADMIN_PASSWORD", crate::lab::PASSWORD)])
        .await;
    let token = lab.token();
    has_state(&lab, &token, "server", "up").await;
    replace(&lab, &another);
    told(&lab, "started again pve; removed none; 1 go on", 1).await;

    // a new file that says the same is no change
    replace(&lab, &another);
    told(&lab, "was read again", 2).await;
    // one that says nothing is refused, and the source goes on as it was
    replace(&lab, "no certificate");
    told(&lab, "is not taken, for the errors above", 1).await;
    replace(&lab, &another);
    told(&lab, "was read again", 3).await;
    assert_eq!(lab.stderr().matches("started again pve").count(), 1);
    replace(&lab, &one);
    told(&lab, "started again pve; removed none; 1 go on", 2).await;
    lab.stop().await;
}
