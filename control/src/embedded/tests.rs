use std::os::unix::fs::PermissionsExt as _;

use schemas::api::Role;

use super::*;

crate::conformance!(async {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Embedded::open(directory.path().join("control.db"))
        .await
        .expect("a new store");
    (store, directory)
});

async fn refused(path: PathBuf) -> String {
    Embedded::open(path)
        .await
        .expect_err("must be refused")
        .to_string()
}

/// A file of the first form, as an earlier release left it.
#[tokio::test]
async fn a_file_of_an_earlier_release_is_brought_to_the_newest_form() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.db");
    let store = Embedded::open(&path).await.unwrap();
    store
        .create_user(
            crate::conformance::new_user("root", Role::Admin),
            Timestamp::now(),
        )
        .await
        .unwrap();
    drop(store);
    let old = Connection::open(&path).unwrap();
    old.execute_batch(
        "DROP TABLE display_name; DROP TABLE source_owner; ALTER TABLE api_token DROP COLUMN agent; PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(old);
    for _ in 0..2 {
        let store = Embedded::open(&path).await.unwrap();
        assert_eq!(store.users().await.unwrap().len(), 1);
        assert_eq!(store.api_tokens(None).await.unwrap(), []);
        assert_eq!(store.source_owners().await.unwrap(), []);
        assert!(store.display_names().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn only_the_owner_may_read_the_file_and_its_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.db");
    std::fs::write(&path, b"").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = Embedded::open(&path).await.unwrap();
    store.signing_keys(Timestamp::now()).await.unwrap();
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
}

#[tokio::test]
async fn what_cannot_be_opened_says_which_file_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);

    std::fs::write(
        at("text.db"),
        "a text that is no database at all".repeat(100),
    )
    .unwrap();
    let message = refused(at("text.db")).await;
    assert!(
        message.contains("text.db") && message.contains("move it away"),
        "{message}"
    );

    let other = Connection::open(at("other.db")).unwrap();
    other.execute_batch("CREATE TABLE t (x)").unwrap();
    drop(other);
    assert!(
        refused(at("other.db"))
            .await
            .contains("not a control store")
    );

    drop(Embedded::open(at("newer.db")).await.unwrap());
    let newer = Connection::open(at("newer.db")).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    assert!(
        refused(at("newer.db"))
            .await
            .contains("newer Homelog (form 99")
    );

    let missing = refused(at("missing/control.db")).await;
    assert!(
        missing.contains("cannot write") && missing.contains("missing"),
        "{missing}"
    );
}

#[tokio::test]
async fn a_damaged_file_is_found_at_opening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.db");
    let store = Embedded::open(&path).await.unwrap();
    for n in 0..200 {
        let entry = AuditEntry {
            time: Timestamp::now(),
            actor: format!("user{n}"),
            action: "x".repeat(200),
            target: String::new(),
            from: String::new(),
            done: true,
        };
        store.record(entry).await.unwrap();
    }
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[4096..end].iter_mut().for_each(|byte| *byte = 0x5a);
    std::fs::write(&path, bytes).unwrap();
    let message = refused(path).await;
    assert!(
        message.contains("damaged") && message.contains("restore a backup"),
        "{message}"
    );
}

#[tokio::test]
async fn a_store_that_is_opened_again_still_knows_everything() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.db");
    let now = Timestamp::now();
    let store = Embedded::open(&path).await.unwrap();
    let key = store.signing_keys(now).await.unwrap().remove(0);
    store
        .create_user(crate::conformance::new_user("ada", Role::Admin), now)
        .await
        .unwrap();
    drop(store);
    let again = Embedded::open(&path).await.unwrap();
    let keys = again.signing_keys(now).await.unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!((&keys[0].id, keys[0].secret()), (&key.id, key.secret()));
    assert_eq!(again.users().await.unwrap().len(), 1);
}

#[tokio::test]
async fn two_processes_see_each_other_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.db");
    let (one, two) = (
        Embedded::open(&path).await.unwrap(),
        Embedded::open(&path).await.unwrap(),
    );
    let now = Timestamp::now();
    let keys = one.signing_keys(now).await.unwrap();
    assert_eq!(two.signing_keys(now).await.unwrap()[0].id, keys[0].id);
    one.create_user(crate::conformance::new_user("ada", Role::Admin), now)
        .await
        .unwrap();
    let session = crate::conformance::new_session(&one, "ada", "r1", now).await;
    let session = one.open_session(session, now).await.unwrap();
    let change = UserChange {
        password: Some(PasswordHash::from_stored("other")),
        ..UserChange::default()
    };
    two.change_user(&session.user, change).await.unwrap();
    assert_eq!(one.session(&session.id, now).await.unwrap(), None);
}

#[tokio::test]
async fn no_secret_stands_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.db");
    let now = Timestamp::now();
    let store = Embedded::open(&path).await.unwrap();
    store
        .create_user(crate::conformance::new_user("ada", Role::Admin), now)
        .await
        .unwrap();
    let session = crate::conformance::new_session(&store, "ada", "the-refresh-token", now).await;
    store.open_session(session, now).await.unwrap();
    let token = crate::TokenSecret::random().unwrap();
    store
        .create_api_token(
            crate::conformance::new_token(&token, "ada", Role::Viewer),
            now,
        )
        .await
        .unwrap();
    drop(store);
    let bytes = std::fs::read(&path).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(holds("ada"), "the search itself must work");
    let revealed = token.reveal();
    let secret = revealed.rsplit_once(token.id.as_str()).unwrap().1;
    assert!(!holds("the-refresh-token") && !holds(&secret[1..]));
}
