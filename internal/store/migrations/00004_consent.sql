-- +goose Up
-- The ledger is append-only: the service may insert and read, nothing else. State is
-- written in the same transaction and can always be worked out again from the ledger.
CREATE TABLE consent_record (
    subject_id   uuid NOT NULL REFERENCES subject,
    seq          integer NOT NULL CHECK (seq > 0),
    record_id    uuid NOT NULL,
    purpose      text NOT NULL,
    action       text NOT NULL CHECK (action IN ('grant', 'deny', 'withdraw')),
    explicit     boolean NOT NULL,
    separate_for text[] NOT NULL,
    given_by     text NOT NULL CHECK (given_by IN ('self', 'guardian')),
    channel      text NOT NULL,
    method       text NOT NULL,
    occurred_at  timestamptz NOT NULL,
    expires_at   timestamptz,
    recorded_by  text NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (subject_id, seq),
    UNIQUE (subject_id, record_id)
);

CREATE TABLE consent_state (
    subject_id   uuid NOT NULL REFERENCES subject,
    purpose      text NOT NULL,
    seq          integer NOT NULL,
    status       text NOT NULL CHECK (status IN ('granted', 'denied', 'withdrawn')),
    explicit     boolean NOT NULL,
    separate_for text[] NOT NULL,
    given_by     text NOT NULL CHECK (given_by IN ('self', 'guardian')),
    occurred_at  timestamptz NOT NULL,
    expires_at   timestamptz,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (subject_id, purpose),
    FOREIGN KEY (subject_id, seq) REFERENCES consent_record
);

GRANT SELECT, INSERT ON consent_record TO consentry_app;
GRANT SELECT, INSERT, UPDATE ON consent_state TO consentry_app;
GRANT SELECT ON consent_record, consent_state TO consentry_reader;
