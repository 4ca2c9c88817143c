use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts, tokio_postgres::Client,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    OpenError, Options, explain,
    migrations::{self, KNOWN, NotMigrated},
    options::{self, Named, Target},
    tls,
};

/// The oldest version that will do, as `server_version_num`: older ones are no longer maintained.
pub(super) const OLDEST: i32 = 130_000;

/// How long all checks and changes of the tables may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Connects, checks the database, brings its tables to the newest form, and makes the pool.
pub(super) async fn open(options: &Options, oldest: i32) -> Result<(Pool, Named), OpenError> {
    let target = options::read(options)?;
    let (verify, ca) = (target.verify, target.ca.clone());
    let failed = |cause: String| OpenError::Failed {
        server: target.named.server.clone(),
        database: target.named.database.clone(),
        cause,
    };
    // reads files
    let connector = tokio::task::spawn_blocking(move || tls::connector(verify, ca.as_deref()))
        .await
        .map_err(|e| failed(e.to_string()))??;
    let manager = Manager::from_config(
        target.config.clone(),
        connector.clone(),
        ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        },
    );
    let pool = Pool::builder(manager)
        .max_size(options.pool.max(1))
        .timeouts(Timeouts {
            wait: Some(options.connect_timeout),
            create: Some(2 * options.connect_timeout),
            recycle: Some(options.connect_timeout),
        })
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|e| failed(e.to_string()))?;
    prepare(&target, connector, oldest, 2 * options.connect_timeout).await?;
    Ok((pool, target.named))
}

/// Uses a connection of its own: what is wrong is told apart before there is a pool.
async fn prepare(
    target: &Target,
    connector: MakeRustlsConnect,
    oldest: i32,
    patience: Duration,
) -> Result<(), OpenError> {
    let named = &target.named;
    let late = |_| OpenError::Unreachable {
        server: named.server.clone(),
        cause: "it does not answer in time".to_owned(),
    };
    let connecting = target.config.connect(connector);
    let (mut client, connection) = tokio::time::timeout(patience, connecting)
        .await
        .map_err(late)?
        .map_err(|e| explain::open(named, &e))?;
    let work = async move {
        check_server(named, &client, oldest).await?;
        migrations::apply(&mut client).await.map_err(|e| match e {
            NotMigrated::Newer(found) => OpenError::Newer {
                server: named.server.clone(),
                database: named.database.clone(),
                found,
                known: KNOWN,
            },
            NotMigrated::Failed(e) => explain::open(named, &e),
        })?;
        check_rights(named, &client).await
    };
    // the connection moves while the work waits for it, and ends when the work lets the client go
    let driven = async { tokio::join!(work, async { drop(connection.await) }).0 };
    tokio::time::timeout(PATIENCE, driven).await.map_err(late)?
}

async fn check_server(named: &Named, client: &Client, oldest: i32) -> Result<(), OpenError> {
    let row = client
        .query_one(
            "SELECT current_setting('server_version_num')::integer, current_setting('server_version'),
                    current_setting('server_encoding'),
                    pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean",
            &[],
        )
        .await
        .map_err(|e| explain::open(named, &e))?;
    let unreadable = |e: tokio_postgres::Error| explain::open(named, &e);
    let server = named.server.clone();
    if row.try_get::<_, i32>(0).map_err(unreadable)? < oldest {
        return Err(OpenError::TooOld {
            server,
            found: row.try_get(1).map_err(unreadable)?,
            needed: (oldest / 10_000).to_string(),
        });
    }
    let encoding: String = row.try_get(2).map_err(unreadable)?;
    if encoding != "UTF8" {
        return Err(OpenError::Encoding {
            server,
            database: named.database.clone(),
            found: encoding,
        });
    }
    if row.try_get(3).map_err(unreadable)? {
        return Err(OpenError::ReadOnly { server });
    }
    Ok(())
}

/// A role that may not write one of the tables would find out at the first login.
async fn check_rights(named: &Named, client: &Client) -> Result<(), OpenError> {
    let lacking = client
        .query_opt(
            "SELECT relname::text FROM pg_class
             WHERE relnamespace = to_regnamespace('homelog') AND relkind = 'r' AND relname <> 'schema_version'
               AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
                        AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
             ORDER BY relname LIMIT 1",
            &[],
        )
        .await
        .and_then(|row| row.map(|row| row.try_get::<_, String>(0)).transpose())
        .map_err(|e| explain::open(named, &e))?;
    match lacking {
        Some(table) => Err(OpenError::Rights {
            server: named.server.clone(),
            user: named.user.clone(),
            database: named.database.clone(),
            cause: format!("it may not read and write table {table}"),
        }),
        None => Ok(()),
    }
}
