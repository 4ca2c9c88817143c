//! What a container is besides what it uses.

use super::*;

#[tokio::test]
async fn a_state_or_a_row_that_nobody_heard_of_loses_nothing_else() {
    let fake = web_runs();
    fake.set(|state| {
        state
            .containers
            .push(container("bbbb", "odd", "x", "hibernating", 7));
        state.containers.push(json!({"Id": 7, "Names": "none"}));
        state.containers.push(json!("garbled"));
    });
    let mut docker = open(&fake.url());
    let told = poll(&mut docker).await;
    assert_eq!(text(of(&told, "web"), "state"), "running");
    assert_eq!(text(of(&told, "odd"), "state"), "hibernating");
}

#[tokio::test]
async fn a_failing_health_check_is_counted_and_looked_at_more_often() {
    let fake = web_runs();
    let id = "aaaaaaaaaaaaaaaa";
    let fails = |streak: u64| {
        json!({"RestartCount": 0, "State": {"Status": "never heard of", "StartedAt": "2026-11-23T00:02:19Z", "ExitCode": 0,
            "OOMKilled": false, "Health": {"Status": "unhealthy", "FailingStreak": streak}},
            "HostConfig": {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5}}})
    };
    fake.set(|state| {
        state.containers[0]["Status"] = json!("Up 2 minutes (unhealthy)");
        state.inspected.insert(id.to_owned(), fails(3));
    });
    let mut docker = open(&fake.url());
    let told = poll(&mut docker).await;
    let web = of(&told, "web");
    assert_eq!(text(web, "health"), "unhealthy");
    assert_eq!(text(web, "restart_policy"), "on-failure:5");
    assert_eq!(
        web.fields.get("health_failures_count"),
        Some(&FieldValue::I64(3))
    );
    assert_eq!(web.fields.get("oom_killed"), Some(&FieldValue::Bool(false)));
    assert_eq!(web.fields.get("exit_code"), None, "it runs");
    fake.set(|state| {
        state.inspected.insert(id.to_owned(), fails(4));
    });
    let known = docker.containers.get_mut(id).unwrap();
    assert!(!known.is_inspection_due(true));
    known.inspected = Instant::now().checked_sub(Duration::from_secs(61));
    assert!(
        known.is_inspection_due(true),
        "a minute is enough for one that is ill"
    );
    assert!(
        !known.is_inspection_due(false),
        "and none for one that ended"
    );
    let told = poll(&mut docker).await;
    let count = of(&told, "web").fields.get("health_failures_count");
    assert_eq!(count, Some(&FieldValue::I64(4)));
}
