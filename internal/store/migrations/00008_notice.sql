-- +goose Up
-- A published version of a notice is evidence of what people were shown: the service may insert and
-- read it, nothing else. What is still being written lies beside it.
CREATE TABLE notice (
    notice_id    text NOT NULL,
    version      integer NOT NULL CHECK (version > 0),
    content      bytea NOT NULL,
    hash         bytea NOT NULL CHECK (octet_length(hash) = 32),
    valid_from   timestamptz NOT NULL,
    published_by text NOT NULL,
    published_at timestamptz NOT NULL,
    PRIMARY KEY (notice_id, version)
);

-- At most one draft for each notice: that of its next version. The edit counts the changes, so that nobody writes over
-- what they have not seen; a published draft keeps its row, without content, so that the count goes on.
CREATE TABLE notice_draft (
    notice_id  text PRIMARY KEY,
    edit       integer NOT NULL CHECK (edit > 0),
    content    bytea,
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL
);

-- The evidence of a consent, sealed under the subject's key. It is apart from the record, which holds but the commitment, so that it can be
-- sealed anew under another key and the record stays what it was.
CREATE TABLE consent_evidence (
    subject_id uuid NOT NULL,
    seq        integer NOT NULL,
    sealed     bytea NOT NULL,
    PRIMARY KEY (subject_id, seq),
    FOREIGN KEY (subject_id, seq) REFERENCES consent_record
);

GRANT SELECT, INSERT ON notice, consent_evidence TO consentry_app;
GRANT SELECT, INSERT, UPDATE ON notice_draft TO consentry_app;
GRANT SELECT ON notice, notice_draft, consent_evidence TO consentry_reader;
