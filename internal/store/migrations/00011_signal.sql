-- +goose Up
-- The privacy signals received for a subject. A row is evidence and is never changed: the signal itself is sealed under the subject's key,
-- what it meant by the policy of the day is in clear. The flags in subject.standing follow from the effects, the consents by TC string
-- are on the ledger.
CREATE TABLE subject_signal (
    subject_id  uuid NOT NULL REFERENCES subject,
    seq         integer NOT NULL CHECK (seq > 0),
    kind        text NOT NULL CHECK (kind IN ('gpc', 'tcf', 'gpp')),
    sealed      bytea NOT NULL,
    effects     jsonb NOT NULL,
    revision    text NOT NULL,
    recorded_by text NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (subject_id, seq)
);

GRANT SELECT, INSERT ON subject_signal TO consentry_app;
GRANT SELECT ON subject_signal TO consentry_reader;
