//! Laws about preferences and the audit trail.

use std::{collections::BTreeMap, sync::Arc};

use schemas::api::Role;

use super::{NOW, name, with_user};
use crate::{AuditEntry, ControlStore, UserError, limits};

/// Preferences are a user's own and not more than allowed.
pub async fn preferences_are_kept_and_bounded(store: Arc<dyn ControlStore>) {
    with_user(&*store, "root", Role::Admin).await;
    with_user(&*store, "ada", Role::Viewer).await;
    let map = |n: usize, value: &str| -> BTreeMap<String, String> {
        (0..n)
            .map(|i| (format!("key{i}"), value.to_owned()))
            .collect()
    };
    store
        .set_preferences(&name("ada"), map(limits::PREFERENCES, "ü"))
        .await
        .unwrap();
    assert_eq!(store.preferences(&name("ada")).await.unwrap(), map(64, "ü"));
    assert_eq!(
        store.preferences(&name("root")).await.unwrap(),
        BTreeMap::new()
    );
    for bad in [
        map(limits::PREFERENCES + 1, ""),
        map(1, &"x".repeat(limits::PREFERENCE_VALUE + 1)),
        BTreeMap::from([(String::new(), String::new())]),
    ] {
        assert!(store.set_preferences(&name("ada"), bad).await.is_err());
    }
    assert_eq!(
        store.preferences(&name("ada")).await.unwrap().len(),
        64,
        "nothing of it is kept"
    );
    store
        .set_preferences(&name("ada"), map(1, ""))
        .await
        .unwrap();
    assert_eq!(store.preferences(&name("ada")).await.unwrap(), map(1, ""));
    let missing = store.set_preferences(&name("max"), map(1, "")).await;
    assert!(matches!(missing, Err(UserError::Unknown(_))), "{missing:?}");
}

/// Audit entries come newest first and cannot grow without bound.
pub async fn the_audit_trail_is_newest_first_and_bounded(store: Arc<dyn ControlStore>) {
    for n in 0..3_i64 {
        let entry = AuditEntry {
            time: NOW.plus_millis(n),
            actor: "a\u{1b}[2Jb".to_owned(),
            action: "login".to_owned(),
            target: "x".repeat(100_000),
            from: "192.168.1.2".to_owned(),
            done: n == 1,
        };
        store.record(entry).await.unwrap();
    }
    let entries = store.audit(2).await.unwrap();
    let times: Vec<_> = entries.iter().map(|e| e.time).collect();
    assert_eq!(times, [NOW.plus_millis(2), NOW.plus_millis(1)]);
    assert_eq!((entries[0].done, entries[1].done), (false, true));
    assert_eq!(entries[0].actor, "a[2Jb");
    assert_eq!(entries[0].target.len(), limits::AUDIT_TEXT);
}
