-- +goose Up
-- The signed receipt of a record, as it was handed out. It names its subject by pseudonym and holds no other
-- personal data. One that could not be signed when its record was made is added when it is asked for.
-- Receipts are three to four kilobytes that hardly compress: they are kept in one piece rather than be tried and cut up.
CREATE TABLE consent_receipt (
    subject_id uuid NOT NULL,
    record_id  uuid NOT NULL,
    jws        text NOT NULL,
    PRIMARY KEY (subject_id, record_id)
) WITH (toast_tuple_target = 8160);

GRANT SELECT, INSERT ON consent_receipt TO consentry_app;
GRANT SELECT ON consent_receipt TO consentry_reader;
