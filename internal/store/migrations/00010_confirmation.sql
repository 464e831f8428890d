-- +goose Up
-- What a link must prove. Of its secret only a keyed hash is kept.
CREATE TABLE confirmation (
    subject_id  uuid NOT NULL,
    record_id   uuid NOT NULL,
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    attempts    integer NOT NULL CHECK (attempts >= 0), -- with a wrong secret
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    PRIMARY KEY (subject_id, record_id)
);

-- Messages that are to be sent, and are deleted once they are: a queue on the coordinator. There is no address in it;
-- that is opened when the message is sent. What the message says that nobody else may know is sealed under the subject's key.
CREATE TABLE message (
    message_id uuid PRIMARY KEY,
    subject_id uuid NOT NULL,
    record_id  uuid NOT NULL,
    channel    text NOT NULL CHECK (channel IN ('email', 'sms')),
    purpose    text NOT NULL,
    sealed     bytea NOT NULL,
    attempts   integer NOT NULL CHECK (attempts >= 0),
    due_at     timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX message_due ON message (due_at);

GRANT SELECT, INSERT, UPDATE ON confirmation TO consentry_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON message TO consentry_app;
GRANT SELECT ON confirmation, message TO consentry_reader;
