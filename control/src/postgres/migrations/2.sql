ALTER TABLE api_token ADD COLUMN agent text;

-- which agent has a source
CREATE TABLE source_owner (
    source text PRIMARY KEY,
    agent text NOT NULL,
    since bigint NOT NULL
);
