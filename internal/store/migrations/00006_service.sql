-- +goose Up
-- Answers to writes that carried an Idempotency-Key, kept a day. The fingerprint is a keyed hash of
-- the request, because a plain hash of personal data could be guessed.
CREATE TABLE idempotency (
    client      text NOT NULL,
    key         text NOT NULL,
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    status      smallint NOT NULL,
    answer      bytea NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (client, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

-- Deleting nothing from this table inside a transaction that also writes coordinator-local
-- tables makes Citus commit in two phases; on plain PostgreSQL it is a no-op.
CREATE TABLE commit_marker (n smallint PRIMARY KEY);

GRANT SELECT, INSERT, DELETE ON idempotency TO consentry_app;
GRANT SELECT, DELETE ON commit_marker TO consentry_app;
GRANT SELECT ON idempotency TO consentry_reader;
