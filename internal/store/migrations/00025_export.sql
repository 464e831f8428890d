-- +goose Up
-- What subjects take away: their data as a file, made for a request of access or portability. It is sealed under their key in
-- chunks, so that no memory has to hold it, and is there until it expires or they are erased. Each try to make one has a row of its
-- own from its beginning on; what a process that died has left behind expires with it.
CREATE TABLE export (
    subject_id      uuid NOT NULL REFERENCES subject,
    export_id       uuid NOT NULL,
    request_id      uuid NOT NULL,
    begun_at        timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    made_at         timestamptz,
    size            bigint CHECK (size > 0),
    link_hash       bytea CHECK (octet_length(link_hash) = 32), -- of the link that fetches it once, keyed
    link_expires_at timestamptz,
    fetched_at      timestamptz, -- for the last time
    PRIMARY KEY (subject_id, export_id),
    CHECK ((made_at IS NULL) = (size IS NULL)),
    CHECK ((link_hash IS NULL) = (link_expires_at IS NULL))
);
CREATE INDEX export_name ON export (export_id);
CREATE INDEX export_expiry ON export (expires_at);
-- Of a request there is one file that is made.
CREATE UNIQUE INDEX export_made ON export (subject_id, request_id) WHERE made_at IS NOT NULL;

-- A chunk cannot outlive its file: one that is written while its subject is erased is refused.
CREATE TABLE export_chunk (
    subject_id uuid NOT NULL,
    export_id  uuid NOT NULL,
    number     integer NOT NULL CHECK (number >= 0),
    sealed     bytea NOT NULL,
    PRIMARY KEY (subject_id, export_id, number),
    FOREIGN KEY (subject_id, export_id) REFERENCES export ON DELETE CASCADE
);
-- Ciphertext does not compress: trying it costs more than the room it could save.
ALTER TABLE export_chunk ALTER sealed SET STORAGE EXTERNAL;

GRANT SELECT, INSERT, UPDATE, DELETE ON export TO consentry_app;
GRANT SELECT, INSERT, DELETE ON export_chunk TO consentry_app;
GRANT SELECT ON export, export_chunk TO consentry_reader;
