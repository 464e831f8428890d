-- +goose Up
-- Key slots that subjects have had and have no more: what they hold was sealed again under another slot, so that no backup opens what was
-- deleted meanwhile. A slot without punctured_at has still to be punctured.
CREATE TABLE spent_slot (
    subject_id   uuid NOT NULL REFERENCES subject,
    request_id   uuid NOT NULL,
    key_slot     bigint NOT NULL CHECK (key_slot >= 0),
    at           timestamptz NOT NULL,
    punctured_at timestamptz,
    PRIMARY KEY (subject_id, request_id)
);

-- What was sealed under the old key is written over.
GRANT UPDATE (sealed) ON consent_evidence, rights_detail TO consentry_app;
GRANT SELECT, INSERT, UPDATE ON spent_slot TO consentry_app;
GRANT SELECT ON spent_slot TO consentry_reader;
