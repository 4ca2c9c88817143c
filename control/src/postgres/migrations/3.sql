-- by what name a source is shown
CREATE TABLE display_name (
    source text PRIMARY KEY,
    name text NOT NULL
);
