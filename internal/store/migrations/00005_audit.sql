-- +goose Up
-- The audit log holds no personal data: who, what, which subject (by pseudonym), purpose and
-- the decision. Entries are written in batches, and spread by batch.

-- A decision is stored once, however often it is taken: named by the hash of what decided
-- (revision and input) and of what came out.
CREATE TABLE decision (
    hash        bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    revision_id text NOT NULL,
    input       bytea NOT NULL,
    outcome     bytea NOT NULL
);

-- What an entry was about when it is no subject (a draft, a revision) is its object, and which of the people who work
-- through one client it was, its actor. Both are empty for most entries, so neither costs a disclosure anything.
CREATE TABLE audit_entry (
    batch_id      uuid NOT NULL,
    id            integer NOT NULL CHECK (id >= 0),
    at            timestamptz NOT NULL,
    action        text NOT NULL,
    client        text NOT NULL,
    request_id    text NOT NULL,
    subject_id    uuid,
    purpose       text NOT NULL,
    decision_hash bytea CHECK (octet_length(decision_hash) = 32),
    roles         text[] NOT NULL,
    attributes    text[] NOT NULL,
    object        text,
    actor         text,
    PRIMARY KEY (batch_id, id)
);
CREATE INDEX audit_entry_subject ON audit_entry (subject_id, batch_id) WHERE subject_id IS NOT NULL;
CREATE INDEX audit_entry_object ON audit_entry (object COLLATE "C", batch_id) WHERE object IS NOT NULL;

-- Batches that the sequencer has yet to append to the log, with the leaf hashes of their
-- entries as the writer computed them: a queue, emptied as it goes.
CREATE TABLE audit_batch (
    batch_id uuid PRIMARY KEY,
    hashes   bytea NOT NULL CHECK (octet_length(hashes) > 0 AND octet_length(hashes) % 32 = 0)
);

-- The log itself (RFC 6962): the leaf hashes of each batch, entry by entry, from the index
-- of its first one, in one row because a batch is appended whole; and the roots of full subtrees of
-- 256 leaves, of 65,536 and so on, from which proofs are made without reading every leaf.
CREATE TABLE audit_leaf (
    index    bigint PRIMARY KEY CHECK (index >= 0),
    batch_id uuid NOT NULL UNIQUE,
    hashes   bytea NOT NULL CHECK (octet_length(hashes) > 0 AND octet_length(hashes) % 32 = 0)
);

CREATE TABLE audit_tile (
    level smallint NOT NULL,
    index bigint NOT NULL,
    hash  bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (level, index)
);

CREATE TABLE audit_checkpoint (
    size      bigint PRIMARY KEY CHECK (size >= 0),
    tree      bytea NOT NULL,
    note      bytea NOT NULL,
    signed_at timestamptz NOT NULL
);

GRANT SELECT, INSERT ON decision, audit_entry, audit_leaf, audit_tile, audit_checkpoint TO consentry_app;
GRANT SELECT, INSERT, DELETE ON audit_batch TO consentry_app;
GRANT SELECT ON decision, audit_entry, audit_batch, audit_leaf, audit_tile, audit_checkpoint TO consentry_reader;
