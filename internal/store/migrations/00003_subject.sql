-- +goose Up
-- Everything about a subject is keyed by subject_id first, so that it lives in one shard and
-- is read in one statement. Nothing here is in clear: values, identifiers and the
-- state that policy needs (regime, country, birth) are sealed under the subject's key.

-- A slot is never given out twice, not even when a transaction rolls back.
CREATE SEQUENCE subject_key_slot AS bigint MINVALUE 0 START 0;

-- What holds for a subject beside their consent for single purposes (objections and signals, in the form of privacy.Standing)
-- lies in this row, because every decision reads it.
CREATE TABLE subject (
    subject_id uuid PRIMARY KEY,
    key_slot   bigint NOT NULL CHECK (key_slot >= 0),
    version    bigint NOT NULL CHECK (version BETWEEN 1 AND 4294967295),
    state      bytea NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    standing   jsonb NOT NULL DEFAULT '{}'
);

-- Found by blind index. No foreign key: it is spread by blind_index, not by subject.
CREATE TABLE identifier (
    type        smallint NOT NULL,
    blind_index bytea NOT NULL CHECK (octet_length(blind_index) = 16),
    subject_id  uuid NOT NULL,
    PRIMARY KEY (type, blind_index)
);

-- The same identifiers beside their subject: the sealed value, and the way back.
CREATE TABLE subject_identifier (
    subject_id  uuid NOT NULL REFERENCES subject,
    type        smallint NOT NULL,
    blind_index bytea NOT NULL CHECK (octet_length(blind_index) = 16),
    sealed      bytea NOT NULL,
    verified    boolean NOT NULL,
    source      text NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (subject_id, type, blind_index)
);

-- One row per field. The version is part of the seal, and rises with every write. A field that was
-- deleted keeps its row without the value, so that an older copy from some
-- other system does not bring it back unnoticed.
CREATE TABLE attribute_value (
    subject_id   uuid NOT NULL REFERENCES subject,
    attribute_id integer NOT NULL CHECK (attribute_id BETWEEN 1 AND 65535),
    version      bigint NOT NULL CHECK (version BETWEEN 1 AND 4294967295),
    sealed       bytea,
    source       text NOT NULL,
    collected_at timestamptz NOT NULL,
    expires_at   timestamptz,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (subject_id, attribute_id)
);

-- Which key pages were ever made: a page that is listed here and missing in Vault is a loss to
-- be reported, never a page to be made anew.
CREATE TABLE key_page (
    page       bigint PRIMARY KEY CHECK (page >= 0),
    created_at timestamptz NOT NULL
);

GRANT USAGE ON SEQUENCE subject_key_slot TO consentry_app;
GRANT SELECT, INSERT, UPDATE ON subject, subject_identifier, attribute_value TO consentry_app;
GRANT SELECT, INSERT ON identifier TO consentry_app;
GRANT SELECT, INSERT ON key_page TO consentry_app;
GRANT SELECT ON subject, identifier, subject_identifier, attribute_value, key_page TO consentry_reader;
