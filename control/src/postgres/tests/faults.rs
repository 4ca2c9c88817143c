use schemas::api::Role;
use tokio::task::JoinSet;

use super::*;
use crate::conformance::new_user;

/// How long a call may take whatever the server does.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_and_comes_back_is_used_again() {
    let mut server = test_servers::Postgres::start().unwrap();
    server.create_database("home").unwrap();
    let store = Postgres::open(options(server.url("home"))).await.unwrap();
    let now = Timestamp::now();
    for round in 0..3 {
        // all connections of the pool are open
        let mut calls = JoinSet::new();
        for _ in 0..16 {
            let store = store.clone();
            calls.spawn(async move { store.check().await });
        }
        for answer in calls.join_all().await {
            answer.unwrap();
        }
        server.kill().unwrap();
        until_it_is_known_to_be_down(&store).await;
        let down = tokio::time::timeout(SOON, store.users()).await.unwrap();
        assert!(
            matches!(&down, Err(StoreError::Unavailable { .. })),
            "{down:?}"
        );
        let down = store.create_user(new_user("lost", Role::Admin), now).await;
        assert!(
            matches!(&down, Err(UserError::Store(StoreError::Unavailable { .. }))),
            "{down:?}"
        );
        server.restart().unwrap();
        let name = format!("ada{round}");
        let made = store.create_user(new_user(&name, Role::Admin), now).await;
        made.expect("the first call after it came back");
        assert_eq!(store.users().await.unwrap().len(), round + 1);
    }
}

/// What serves a connection ends a moment after the server's first process was killed, and answers until then.
async fn until_it_is_known_to_be_down(store: &Postgres) {
    let asking = async {
        let mut failures = 0;
        while failures < 20 {
            if store.check().await.is_ok() {
                failures = 0;
                tokio::time::sleep(Duration::from_millis(10)).await;
            } else {
                failures += 1;
            }
        }
    };
    let known = tokio::time::timeout(SOON, asking).await;
    known.expect("its health says so");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_cuts_are_made_anew_unnoticed() {
    let database = database();
    let store = instance(&database).await;
    let now = Timestamp::now();
    for round in 0..10 {
        store.check().await.unwrap();
        sql(
            server(),
            "postgres",
            &format!(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE datname = '{database}' AND application_name = 'homelog'"
            ),
        );
        if round % 2 == 0 {
            store.users().await.expect("a call after a cut");
        } else {
            let name = format!("ada{round}");
            let made = store.create_user(new_user(&name, Role::Viewer), now).await;
            made.expect("a change after a cut");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_too_long_is_given_up() {
    let database = database();
    let blocker = instance(&database).await;
    let mut options = options(server().url(&database));
    options.statement_timeout = Duration::from_millis(200);
    options.pool = 1;
    let store = Postgres::open(options).await.unwrap();
    let client = blocker.client().await.unwrap();
    client
        .batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let now = Timestamp::now();
    for _ in 0..3 {
        let asked = tokio::time::timeout(SOON, store.users()).await.unwrap();
        assert!(
            matches!(&asked, Err(StoreError::Unavailable { cause, .. }) if cause.contains("time-out")),
            "{asked:?}"
        );
        let new = new_user("ada", Role::Admin);
        let asked = tokio::time::timeout(SOON, store.create_user(new, now)).await;
        assert!(asked.unwrap().is_err());
    }
    client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(store.users().await.unwrap(), [], "nothing of it is stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pool_says_so_and_a_dropped_call_gives_its_connection_back() {
    let mut options = options(server().url(&database()));
    options.pool = 1;
    options.connect_timeout = Duration::from_millis(200);
    let store = Postgres::open(options).await.unwrap();
    let held = store.client().await.unwrap();
    let full = store.check().await;
    assert!(
        matches!(&full, Err(StoreError::Unavailable { cause, .. }) if cause.contains("pool")),
        "{full:?}"
    );
    drop(held);
    let now = Timestamp::now();
    for n in 0..50_u64 {
        let name = format!("user{n}");
        let making = store.create_user(new_user(&name, Role::Viewer), now);
        let most = Duration::from_micros(n * 40);
        // cut anywhere
        drop(tokio::time::timeout(most, making).await);
        store.check().await.expect("the connection is free again");
    }
    let name = new_user("last", Role::Admin);
    store.create_user(name, now).await.expect("it still works");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_by_contention_is_tried_again() {
    let database = database();
    let store = instance(&database).await;
    sql(
        server(),
        &database,
        "CREATE SEQUENCE homelog.tries;
         CREATE FUNCTION homelog.in_the_way() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             CASE nextval('homelog.tries')
                 WHEN 1, 3 THEN RAISE EXCEPTION 'in the way' USING ERRCODE = '40001';
                 WHEN 2 THEN RAISE EXCEPTION 'in the way' USING ERRCODE = '40P01';
                 ELSE RETURN NEW;
             END CASE;
         END $$;
         CREATE TRIGGER in_the_way BEFORE INSERT ON homelog.users
             FOR EACH ROW EXECUTE FUNCTION homelog.in_the_way()",
    );
    let now = Timestamp::now();
    let made = store.create_user(new_user("ada", Role::Admin), now).await;
    assert_eq!(made.unwrap().name.as_str(), "ada");
    assert_eq!(
        sql(server(), &database, "SELECT last_value FROM homelog.tries"),
        "4"
    );
}

#[tokio::test]
async fn zero_characters_find_nothing_and_are_not_stored() {
    let store = instance(&database()).await;
    let now = Timestamp::now();
    store
        .create_user(new_user("ada", Role::Admin), now)
        .await
        .unwrap();
    let ada = Username::new("ada").unwrap();
    assert_eq!(
        store.session(&SessionId::new("a\0"), now).await.unwrap(),
        None
    );
    assert!(!store.end_session(&SessionId::new("a\0")).await.unwrap());
    let token = TokenId::new("a\0");
    assert_eq!(store.api_token(&token, None, now).await.unwrap(), None);
    store.touch_api_token(&token, now).await.unwrap();
    assert_eq!(store.revoke_api_token(&token, None).await.unwrap(), None);
    for (key, value) in [("a\0", "b"), ("a", "b\0")] {
        let given = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let refused = store.set_preferences(&ada, given).await;
        assert!(
            matches!(refused, Err(UserError::ZeroCharacter { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn no_secret_stands_in_the_database() {
    let database = database();
    let store = instance(&database).await;
    let now = Timestamp::now();
    store
        .create_user(new_user("ada", Role::Admin), now)
        .await
        .unwrap();
    let session = crate::conformance::new_session(&store, "ada", "the-refresh-token", now).await;
    let session = store.open_session(session, now).await.unwrap();
    let token = crate::TokenSecret::random().unwrap();
    let new = crate::conformance::new_token(&token, "ada", Role::Viewer);
    store.create_api_token(new, now).await.unwrap();
    let ticket = NewTicket {
        hash: SecretHash::of("the-ticket"),
        owner: Principal::Session(session.id),
        expires: now.plus_millis(1000),
    };
    store.issue_ticket(ticket, now).await.unwrap();
    let all = [
        "users",
        "session",
        "refresh",
        "api_token",
        "ticket",
        "setup",
        "audit",
        "preference",
    ]
    .map(|table| {
        let rows = format!("SELECT t::text FROM homelog.{table} t");
        sql(server(), &database, &rows)
    })
    .concat();
    assert!(all.contains("ada"), "the search itself must work");
    let revealed = token.reveal();
    let secret = revealed.rsplit_once(token.id.as_str()).unwrap().1;
    for secret in ["the-refresh-token", "the-ticket", &secret[1..]] {
        let hex = format!("SELECT encode('{secret}', 'hex')");
        let hex = sql(server(), &database, &hex);
        assert!(!all.contains(secret) && !all.contains(&hex));
    }
}
