use schemas::api::Role;

use super::*;
use crate::{
    Embedded,
    conformance::{new_session, new_token, new_user},
    migrate::{CopyError, copy},
};

/// An embedded store in which there is some of everything.
async fn furnished(directory: &std::path::Path) -> (Embedded, crate::TokenSecret) {
    let store = Embedded::open(directory.join("control.db")).await.unwrap();
    let now = Timestamp::now();
    for (name, role) in [
        ("ada", Role::Admin),
        ("bob", Role::Operator),
        ("zoe.m@home", Role::Viewer),
    ] {
        store.create_user(new_user(name, role), now).await.unwrap();
    }
    let bob = Username::new("bob").unwrap();
    let token = crate::TokenSecret::random().unwrap();
    let for_good = NewApiToken {
        expires: None,
        ..new_token(&token, "bob", Role::Operator)
    };
    store.create_api_token(for_good, now).await.unwrap();
    store.touch_api_token(&token.id, now).await.unwrap();
    let other = crate::TokenSecret::random().unwrap();
    let for_an_hour = NewApiToken {
        expires: Some(now.plus_millis(3_600_000)),
        ..new_token(&other, "ada", Role::Admin)
    };
    store.create_api_token(for_an_hour, now).await.unwrap();
    let change = UserChange {
        role: Some(Role::Viewer),
        enabled: Some(false),
        ..UserChange::default()
    };
    store.change_user(&bob, change).await.unwrap();
    let session = new_session(&store, "ada", "r1", now).await;
    store.open_session(session, now).await.unwrap();
    let odd = BTreeMap::from([
        ("theme".to_owned(), "dark".to_owned()),
        (
            "board \"ü\" 🙂\n".to_owned(),
            "{\"a\":[1,null]}\u{1}\\".to_owned(),
        ),
        ("empty".to_owned(), String::new()),
    ]);
    store.set_preferences(&bob, odd).await.unwrap();
    store.signing_keys(now).await.unwrap();
    store
        .rotate_signing_key(now, now.plus_millis(60_000))
        .await
        .unwrap();
    for n in 0..250 {
        let entry = AuditEntry {
            time: now.plus_millis(n % 7),
            actor: format!("ada{n}"),
            action: "login".to_owned(),
            target: "ü".repeat(3),
            from: "192.168.1.2".to_owned(),
            done: n % 3 == 0,
        };
        store.record(entry).await.unwrap();
    }
    (store, token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_moves_to_postgresql_and_back() {
    let directory = tempfile::tempdir().unwrap();
    let (from, token) = furnished(directory.path()).await;
    let database = database();
    let to = instance(&database).await;
    // an instance that was started too early has made a key and offers set-up
    let now = Timestamp::now();
    to.signing_keys(now).await.unwrap();
    to.offer_setup(&SecretHash::of("set-up")).await.unwrap();

    let copied = copy(&from, &to).await.unwrap();
    assert_eq!(
        (
            copied.users,
            copied.preferences,
            copied.tokens,
            copied.keys,
            copied.audit
        ),
        (3, 3, 2, 2, 250)
    );
    assert!(!copied.already);
    assert_eq!(to.users().await.unwrap(), from.users().await.unwrap());
    for user in from.users().await.unwrap() {
        let name = &user.name;
        assert_eq!(
            to.credentials(name).await.unwrap(),
            from.credentials(name).await.unwrap()
        );
        assert_eq!(
            to.preferences(name).await.unwrap(),
            from.preferences(name).await.unwrap()
        );
    }
    assert_eq!(
        to.api_tokens(None).await.unwrap(),
        from.api_tokens(None).await.unwrap()
    );
    assert_eq!(
        to.audit(1000).await.unwrap(),
        from.audit(1000).await.unwrap()
    );
    let keys = |keys: Vec<SigningKey>| -> Vec<_> {
        keys.iter()
            .map(|k| (k.id.clone(), k.secret().to_vec(), k.created, k.retires))
            .collect()
    };
    assert_eq!(
        keys(to.signing_keys(now).await.unwrap()),
        keys(from.signing_keys(now).await.unwrap())
    );
    assert!(!to.setup_needed().await.unwrap());

    // a token's own role is kept, so that it comes back with its user's
    let bob = Username::new("bob").unwrap();
    let back = UserChange {
        role: Some(Role::Admin),
        enabled: Some(true),
        ..UserChange::default()
    };
    let again = copy(&from, &to).await.unwrap();
    assert!(again.already, "a second copy changes nothing");
    let home = Embedded::open(directory.path().join("home.db"))
        .await
        .unwrap();
    assert!(!copy(&to, &home).await.unwrap().already);
    assert!(
        copy(&from, &home).await.unwrap().already,
        "there and back is the same"
    );

    to.change_user(&bob, back).await.unwrap();
    let found = to
        .api_token(&token.id, Some(&token.hash()), now)
        .await
        .unwrap();
    assert_eq!(found.map(|token| token.role), Some(Role::Operator));
    let refused = copy(&from, &to).await;
    assert!(
        matches!(
            &refused,
            Err(CopyError::Restore(RestoreError::Occupied {
                what: "users",
                ..
            }))
        ),
        "{refused:?}"
    );
    let refused = copy(&to, &home).await;
    assert!(
        matches!(
            &refused,
            Err(CopyError::Restore(RestoreError::Occupied { .. }))
        ),
        "{refused:?}"
    );
    // ids go on after those that were copied
    to.create_user(new_user("max", Role::Viewer), now)
        .await
        .unwrap();
    assert_eq!(to.users().await.unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_was_cut_leaves_nothing_and_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let (from, _) = furnished(directory.path()).await;
    let database = database();
    let to = instance(&database).await;
    sql(
        server(),
        &database,
        "CREATE FUNCTION homelog.full() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$;
         CREATE TRIGGER no_room BEFORE INSERT ON homelog.audit
             FOR EACH STATEMENT EXECUTE FUNCTION homelog.full()",
    );
    let cut = copy(&from, &to).await;
    assert!(
        matches!(
            &cut,
            Err(CopyError::Restore(RestoreError::Store(
                StoreError::Full { .. }
            )))
        ),
        "{cut:?}"
    );
    assert!(to.snapshot().await.unwrap().is_empty());
    assert_eq!(to.users().await.unwrap(), []);
    sql(server(), &database, "DROP TRIGGER no_room ON homelog.audit");
    assert!(!copy(&from, &to).await.unwrap().already);
}
