CREATE TABLE user (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    enabled INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL,
    created INTEGER NOT NULL,
    last_login INTEGER
) STRICT;

CREATE TABLE session (
    id TEXT PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    idle_until INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_user ON session (user);

-- every refresh token of a session; the one without `used` is current
CREATE TABLE refresh (
    hash BLOB PRIMARY KEY,
    session TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    used INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_session ON refresh (session);

CREATE TABLE api_token (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL,
    name TEXT NOT NULL,
    user INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    created INTEGER NOT NULL,
    expires INTEGER,
    last_used INTEGER,
    agent TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX api_token_user ON api_token (user);

-- which agent has a source
CREATE TABLE source_owner (
    source TEXT PRIMARY KEY,
    agent TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- by what name a source is shown
CREATE TABLE display_name (
    source TEXT PRIMARY KEY,
    name TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ticket (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    session TEXT REFERENCES session (id) ON DELETE CASCADE,
    token TEXT REFERENCES api_token (id) ON DELETE CASCADE,
    expires INTEGER NOT NULL,
    stream BLOB,
    CHECK ((session IS NULL) <> (token IS NULL))
) STRICT;
CREATE INDEX ticket_session ON ticket (session);
CREATE INDEX ticket_token ON ticket (token);

-- one row at most: the hash of the set-up token that was offered last
CREATE TABLE setup (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    hash BLOB NOT NULL
) STRICT;

CREATE TABLE signing_key (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    secret BLOB NOT NULL,
    created INTEGER NOT NULL,
    retires INTEGER
) STRICT;

CREATE TABLE preference (
    user INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (user, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    origin TEXT NOT NULL,
    done INTEGER NOT NULL
) STRICT;
