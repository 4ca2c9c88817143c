use std::{fs, path::Path};

use super::*;

fn openssl(directory: &Path, arguments: &str) {
    let done = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(directory)
        .output()
        .expect("openssl starts");
    assert!(
        done.status.success(),
        "openssl {arguments}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// A server with a certificate for `localhost` of an authority of its own, which asks some roles for passwords.
fn guarded_server(directory: &Path) -> test_servers::Postgres {
    let server = test_servers::Postgres::start().expect("a PostgreSQL server");
    for authority in ["ca", "other"] {
        openssl(
            directory,
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={authority} \
                 -keyout {authority}.key -out {authority}.pem"
            ),
        );
    }
    openssl(
        directory,
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout server.key -out server.csr",
    );
    fs::write(directory.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(
        directory,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
    let data = sql(&server, "postgres", "SHOW data_directory");
    let data = Path::new(&data);
    let owner = fs::metadata(data).unwrap();
    for (name, as_it_is_looked_for) in [("server.key", "server.key"), ("server.pem", "server.crt")]
    {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let there = data.join(as_it_is_looked_for);
        fs::copy(directory.join(name), &there).unwrap();
        fs::set_permissions(&there, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&there, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    fs::write(
        data.join("pg_hba.conf"),
        "host all homelog 127.0.0.1/32 trust\n\
         host all banned 127.0.0.1/32 reject\n\
         hostssl all ada 127.0.0.1/32 scram-sha-256\n",
    )
    .unwrap();
    sql(
        &server,
        "postgres",
        "CREATE ROLE ada LOGIN PASSWORD 'hunter2'",
    );
    sql(&server, "postgres", "CREATE ROLE banned LOGIN");
    sql(&server, "postgres", "CREATE DATABASE home OWNER ada");
    sql(&server, "postgres", "ALTER SYSTEM SET ssl = on");
    sql(&server, "postgres", "SELECT pg_reload_conf()");
    while sql(&server, "postgres", "SHOW ssl") != "on" {
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

/// Whether the line is encrypted.
async fn encrypted(store: &Postgres) -> bool {
    let client = store.client().await.unwrap();
    client
        .query_one(
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            &[],
        )
        .await
        .unwrap()
        .get(0)
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_in_the_clear_when_tls_is_required() {
    for mode in ["require", "verify-full"] {
        let url = format!("{}?sslmode={mode}", server().url(&database()));
        let error = refused(options(url)).await;
        assert!(matches!(error, OpenError::NoTls { .. }), "{error}");
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn tls_passwords_and_certificates_are_checked_as_the_address_says() {
    let directory = tempfile::tempdir().unwrap();
    let server = guarded_server(directory.path());
    let at = |host: &str, rest: &str| {
        options(format!(
            "postgres://ada:hunter2@{host}:{}/home{rest}",
            server.port()
        ))
    };
    let ca = |mut options: Options, name: &str| {
        options.ca = Some(directory.path().join(name));
        options
    };
    for good in [
        at("127.0.0.1", ""),
        at("127.0.0.1", "?sslmode=prefer"),
        at("127.0.0.1", "?sslmode=require"),
        ca(at("127.0.0.1", "?sslmode=verify-ca"), "ca.pem"),
        ca(at("127.0.0.1", "?sslmode=require"), "ca.pem"),
        ca(at("localhost", "?sslmode=verify-full"), "ca.pem"),
        ca(at("localhost", ""), "ca.pem"),
    ] {
        let store = Postgres::open(good.clone()).await;
        let store = store.unwrap_or_else(|e| panic!("{e}: {good:?}"));
        assert!(encrypted(&store).await, "{good:?}");
    }

    for bad in [
        ca(at("127.0.0.1", ""), "ca.pem"),
        ca(at("localhost", ""), "other.pem"),
        ca(at("127.0.0.1", "?sslmode=require"), "other.pem"),
        at("localhost", "?sslmode=verify-full"),
    ] {
        let error = refused(bad.clone()).await;
        assert!(
            matches!(error, OpenError::Certificate { .. }),
            "{error}: {bad:?}"
        );
        assert!(!error.is_transient());
    }
    for no_ca in ["missing.pem", "names"] {
        let error = refused(ca(at("localhost", ""), no_ca)).await;
        assert!(matches!(error, OpenError::Ca { .. }), "{error}");
        assert!(error.to_string().contains(no_ca), "{error}");
    }

    let error = refused(at("127.0.0.1", "?sslmode=disable")).await;
    assert!(matches!(error, OpenError::NoAccess { .. }), "{error}");
    let login = |who: &str| options(format!("postgres://{who}@127.0.0.1:{}/home", server.port()));
    for wrong in ["ada:hunter22", "ada"] {
        let error = refused(login(wrong)).await;
        assert!(matches!(error, OpenError::Password { .. }), "{error}");
        assert!(error.to_string().contains("ALTER ROLE"), "{error}");
        assert!(!error.is_transient());
    }
    let error = refused(login("banned")).await;
    assert!(
        matches!(error, OpenError::NoAccess { .. }) && error.to_string().contains("pg_hba.conf"),
        "{error}"
    );
}
