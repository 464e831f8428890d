-- +goose Up
-- Policy tables are small and read by every request: reference tables when distributed.

-- A revision is immutable; its id is the SHA-256 of its content.
CREATE TABLE revision (
    revision_id text PRIMARY KEY CHECK (revision_id ~ '^[0-9a-f]{64}$'),
    content     bytea NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL
);

-- Publications in order: the revision in force is that of the highest number. Why, with what, and by whose leave it was
-- put in force is absent for the built-in one.
CREATE TABLE publication (
    number       bigint PRIMARY KEY CHECK (number > 0),
    revision_id  text NOT NULL REFERENCES revision,
    published_by text NOT NULL,
    published_at timestamptz NOT NULL,
    draft_id     uuid,
    approved_by  text,
    reason       text
);

GRANT SELECT, INSERT ON revision, publication TO consentry_app;
GRANT SELECT ON revision, publication TO consentry_reader;
