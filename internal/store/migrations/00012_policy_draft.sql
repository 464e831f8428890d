-- +goose Up
-- A draft of a policy. Its content is the canonical JSON of a revision, complete at all times: what is
-- submitted, approved and published is this very text. People stand in it as keyed hashes. The version
-- counts the changes, so that nobody writes over what they have not seen.
CREATE TABLE policy_draft (
    draft_id     uuid PRIMARY KEY,
    version      bigint NOT NULL CHECK (version > 0),
    title        text NOT NULL,
    state        text NOT NULL CHECK (state IN ('draft', 'submitted', 'approved', 'rejected', 'published', 'abandoned')),
    base         text NOT NULL REFERENCES revision,
    revision_id  text NOT NULL CHECK (revision_id ~ '^[0-9a-f]{64}$'),
    content      bytea NOT NULL,
    editors      text[] NOT NULL CHECK (cardinality(editors) > 0),
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_by   text NOT NULL,
    updated_at   timestamptz NOT NULL,
    tested_at    timestamptz,
    tested       text,
    green        boolean,
    submitted_by text,
    submitted_at timestamptz,
    submitted    text,
    reviewed_by  text,
    reviewer     text,
    reviewed_at  timestamptz,
    comment      text,
    published_at timestamptz,
    CHECK (state NOT IN ('submitted', 'approved', 'published') OR submitted = revision_id),
    CHECK (state NOT IN ('approved', 'published') OR reviewer IS NOT NULL AND NOT reviewer = ANY (editors))
);
CREATE INDEX policy_draft_created ON policy_draft (created_at, draft_id);

GRANT SELECT, INSERT, UPDATE ON policy_draft TO consentry_app;
GRANT SELECT ON policy_draft TO consentry_reader;
