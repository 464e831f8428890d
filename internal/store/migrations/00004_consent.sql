-- +goose Up
-- The ledger is append-only: the service may insert and read, nothing else. State is
-- written in the same transaction and can always be worked out again from the ledger.
--
-- Of objections (object, lift) the purpose is a scope: a purpose, a family ("marketing.*") or "*". A record names the notice
-- and the language it was shown in (version 0 for none), holds a SHA-256 commitment to its evidence, and is chained: the hash of
-- the record before, zeros for the first, and its own. A grant may wait for the person to confirm it through a link
-- they are sent (confirm_by), and the record of that confirmation names the one that it confirms.
CREATE TABLE consent_record (
    subject_id     uuid NOT NULL REFERENCES subject,
    seq            integer NOT NULL CHECK (seq > 0),
    record_id      uuid NOT NULL,
    purpose        text NOT NULL,
    action         text NOT NULL CHECK (action IN ('grant', 'deny', 'withdraw', 'object', 'lift')),
    explicit       boolean NOT NULL,
    separate_for   text[] NOT NULL,
    given_by       text NOT NULL CHECK (given_by IN ('self', 'guardian')),
    channel        text NOT NULL,
    method         text NOT NULL,
    occurred_at    timestamptz NOT NULL,
    expires_at     timestamptz,
    recorded_by    text NOT NULL,
    recorded_at    timestamptz NOT NULL,
    notice_id      text NOT NULL DEFAULT '',
    notice_version integer NOT NULL DEFAULT 0,
    notice_hash    bytea,
    locale         text NOT NULL DEFAULT '',
    evidence_hash  bytea,
    prev_hash      bytea,
    hash           bytea,
    confirm_by     text NOT NULL DEFAULT '' CHECK (confirm_by IN ('', 'email', 'sms')),
    confirms       uuid,
    PRIMARY KEY (subject_id, seq),
    UNIQUE (subject_id, record_id)
);
-- A receipt is asked for by the name of its record alone.
CREATE INDEX consent_record_name ON consent_record (record_id);

CREATE TABLE consent_state (
    subject_id     uuid NOT NULL REFERENCES subject,
    purpose        text NOT NULL,
    seq            integer NOT NULL,
    status         text NOT NULL CHECK (status IN ('pending', 'granted', 'denied', 'withdrawn')),
    explicit       boolean NOT NULL,
    separate_for   text[] NOT NULL,
    given_by       text NOT NULL CHECK (given_by IN ('self', 'guardian')),
    occurred_at    timestamptz NOT NULL,
    expires_at     timestamptz,
    updated_at     timestamptz NOT NULL,
    notice_id      text NOT NULL DEFAULT '',
    notice_version integer NOT NULL DEFAULT 0 CHECK (notice_version >= 0),
    PRIMARY KEY (subject_id, purpose),
    FOREIGN KEY (subject_id, seq) REFERENCES consent_record
);

GRANT SELECT, INSERT ON consent_record TO consentry_app;
GRANT SELECT, INSERT, UPDATE ON consent_state TO consentry_app;
GRANT SELECT ON consent_record, consent_state TO consentry_reader;
