-- +goose Up
-- The certificate of the erasure of a part, as it was handed out. What it says is in the audit log; an erasure of everything keeps its own beside its steps.
CREATE TABLE part_certificate (
    subject_id   uuid NOT NULL,
    request_id   uuid NOT NULL,
    certificate  text NOT NULL,
    certified_at timestamptz NOT NULL,
    PRIMARY KEY (subject_id, request_id)
);
GRANT SELECT, INSERT ON part_certificate TO consentry_app;
GRANT SELECT ON part_certificate TO consentry_reader;

-- From which version of its page on the key of a spent slot is gone; not known of those that were punctured before this.
ALTER TABLE spent_slot ADD COLUMN page_version bigint;
