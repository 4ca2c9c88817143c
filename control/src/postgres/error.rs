use std::path::PathBuf;

/// Why the database could not be opened, and what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// The address cannot be used. It is not shown, since it has the password.
    #[error("the address of the PostgreSQL database cannot be used: {cause}")]
    Url {
        /// What is wrong.
        cause: String,
    },
    /// The file of the certificate authority cannot be used.
    #[error("CA file `{}` cannot be used ({cause}): name a PEM file with the certificate of the authority", path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// Nobody answers there.
    #[error(
        "PostgreSQL at `{server}` cannot be reached ({cause}): check host and port, and that the server runs"
    )]
    Unreachable {
        /// Host and port.
        server: String,
        /// What the system said.
        cause: String,
    },
    /// It starts, stops, or has no connection left.
    #[error("PostgreSQL at `{server}` takes no connection now ({cause}): it is tried again")]
    Busy {
        /// Host and port.
        server: String,
        /// What it said.
        cause: String,
    },
    /// It has no TLS, which the address wants.
    #[error(
        "PostgreSQL at `{server}` does not speak TLS: set `ssl = on` there, or allow sslmode=disable in the address"
    )]
    NoTls {
        /// Host and port.
        server: String,
    },
    /// Its certificate is not good.
    #[error(
        "the certificate of PostgreSQL at `{server}` is refused ({cause}): name its authority as CA file, and the host as \
         the certificate does"
    )]
    Certificate {
        /// Host and port.
        server: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Wrong password, or none.
    #[error(
        "PostgreSQL at `{server}` refuses the password of role `{user}`: check it, or set it with ALTER ROLE"
    )]
    Password {
        /// Host and port.
        server: String,
        /// The role.
        user: String,
    },
    /// The role may not come in.
    #[error(
        "PostgreSQL at `{server}` does not let role `{user}` into database `{database}` ({cause}): make the role with \
         LOGIN, and allow it in pg_hba.conf"
    )]
    NoAccess {
        /// Host and port.
        server: String,
        /// The role.
        user: String,
        /// The database.
        database: String,
        /// What it said.
        cause: String,
    },
    /// There is no such database.
    #[error(
        "PostgreSQL at `{server}` has no database `{database}`: make it with CREATE DATABASE {database} OWNER {user}"
    )]
    NoDatabase {
        /// Host and port.
        server: String,
        /// The database.
        database: String,
        /// The role.
        user: String,
    },
    /// The role may not do what is needed.
    #[error(
        "role `{user}` lacks rights in database `{database}` of PostgreSQL at `{server}` ({cause}): make it the owner \
         with ALTER DATABASE {database} OWNER TO {user}"
    )]
    Rights {
        /// Host and port.
        server: String,
        /// The role.
        user: String,
        /// The database.
        database: String,
        /// What it said.
        cause: String,
    },
    /// It takes no writes.
    #[error(
        "PostgreSQL at `{server}` takes no writes (a standby, or a read-only database): name the primary"
    )]
    ReadOnly {
        /// Host and port.
        server: String,
    },
    /// The server is too old.
    #[error("PostgreSQL at `{server}` is version {found}, which is too old: use {needed} or later")]
    TooOld {
        /// Host and port.
        server: String,
        /// Its version.
        found: String,
        /// The oldest version that will do.
        needed: String,
    },
    /// The database cannot hold every text.
    #[error(
        "database `{database}` of PostgreSQL at `{server}` has encoding {found}: make it anew with ENCODING 'UTF8'"
    )]
    Encoding {
        /// Host and port.
        server: String,
        /// The database.
        database: String,
        /// Its encoding.
        found: String,
    },
    /// Written by a later release.
    #[error(
        "database `{database}` of PostgreSQL at `{server}` was written by a newer Homelog (form {found}, this one knows \
         {known}): use that release or restore a backup"
    )]
    Newer {
        /// Host and port.
        server: String,
        /// The database.
        database: String,
        /// Its form.
        found: i32,
        /// The newest form that this program knows.
        known: i32,
    },
    /// Anything else.
    #[error("database `{database}` of PostgreSQL at `{server}` cannot be opened: {cause}")]
    Failed {
        /// Host and port.
        server: String,
        /// The database.
        database: String,
        /// What it said.
        cause: String,
    },
}

impl OpenError {
    /// Whether it may go away by itself, so that trying again makes sense.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }
}
