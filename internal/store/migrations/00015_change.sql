-- +goose Up
-- The outbox: what others must be told of, written in the transaction that changes it and beside the
-- subject it is about; what is about the policy has the zero subject. One node at a time copies
-- new rows to the log below and then deletes them here.

-- Orders the changes of one subject. A number is drawn by the coordinator while the subject is locked, so
-- that of two changes of a subject the later has the higher. Between subjects it says nothing.
CREATE SEQUENCE change_number AS bigint;

CREATE TABLE change (
    subject_id uuid NOT NULL,
    change_id  uuid NOT NULL,
    number     bigint NOT NULL DEFAULT nextval('change_number'),
    kind       text NOT NULL,
    purpose    text NOT NULL,
    detail     jsonb NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (subject_id, change_id)
);

-- The log: every change once, densely numbered, each subject's in the order in which they happened. Who
-- reads it in order of the index misses nothing that was committed, because nothing is ever filled in.
CREATE TABLE change_log (
    index      bigint PRIMARY KEY CHECK (index > 0),
    change_id  uuid NOT NULL UNIQUE,
    subject_id uuid NOT NULL,
    kind       text NOT NULL,
    purpose    text NOT NULL,
    detail     jsonb NOT NULL,
    at         timestamptz NOT NULL,
    logged_at  timestamptz NOT NULL
);

GRANT USAGE ON SEQUENCE change_number TO consentry_app;
GRANT SELECT, INSERT, DELETE ON change TO consentry_app;
GRANT SELECT, INSERT ON change_log TO consentry_app;
GRANT SELECT ON change, change_log TO consentry_reader;
