-- +goose Up
-- Which keyring the values of this database are sealed under: a keyed hash that tells one keyring from another, and nothing of its
-- keys. A process with another keyring would find nobody and seal what nobody else can open. A node that does not know the
-- table yet goes on without it; the first that does writes it.
CREATE TABLE keyring_mark (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    mark   bytea NOT NULL CHECK (octet_length(mark) = 32),
    set_at timestamptz NOT NULL
);

GRANT SELECT, INSERT ON keyring_mark TO consentry_app;
GRANT SELECT ON keyring_mark TO consentry_reader;
