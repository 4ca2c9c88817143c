CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    password text NOT NULL,
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    enabled boolean NOT NULL DEFAULT true,
    epoch bigint NOT NULL,
    created bigint NOT NULL,
    last_login bigint
);

CREATE TABLE session (
    id text PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created bigint NOT NULL,
    idle_until bigint NOT NULL,
    expires bigint NOT NULL
);
CREATE INDEX session_by_user ON session (user_id);

-- every refresh token of a session; the one without `used` is current
CREATE TABLE refresh (
    hash bytea PRIMARY KEY,
    session text NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    used bigint
);
CREATE INDEX refresh_by_session ON refresh (session);
CREATE UNIQUE INDEX refresh_current ON refresh (session) WHERE used IS NULL;

CREATE TABLE api_token (
    id text PRIMARY KEY,
    hash bytea NOT NULL,
    name text NOT NULL,
    user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    created bigint NOT NULL,
    expires bigint,
    last_used bigint
);
CREATE INDEX api_token_by_user ON api_token (user_id);

CREATE TABLE ticket (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash bytea NOT NULL UNIQUE,
    session text REFERENCES session (id) ON DELETE CASCADE,
    token text REFERENCES api_token (id) ON DELETE CASCADE,
    expires bigint NOT NULL,
    stream bytea,
    CHECK ((session IS NULL) <> (token IS NULL))
);
CREATE INDEX ticket_by_session ON ticket (session);
CREATE INDEX ticket_by_token ON ticket (token);

-- one row at most: the hash of the set-up token that was offered last
CREATE TABLE setup (
    only_row boolean PRIMARY KEY CHECK (only_row),
    hash bytea NOT NULL
);

CREATE TABLE signing_key (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    secret bytea NOT NULL,
    created bigint NOT NULL,
    retires bigint
);
-- all instances sign with the same key
CREATE UNIQUE INDEX signing_key_signs ON signing_key ((retires IS NULL)) WHERE retires IS NULL;

CREATE TABLE preference (
    user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (user_id, key)
);

CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time bigint NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    origin text NOT NULL,
    done boolean NOT NULL
);
