-- +goose Up
-- What segments see of a subject: coarse values, and until when each holds, sealed in one piece under the subject's key. NULL until it was first
-- worked out. It lies in the subject's row, because it is read with the rest of what policies look at, and
-- has a version of its own, which is part of the seal. A default that is constant rewrites no row.
ALTER TABLE subject ADD COLUMN facets bytea;
ALTER TABLE subject ADD COLUMN facets_version bigint NOT NULL DEFAULT 0 CHECK (facets_version BETWEEN 0 AND 4294967295);

-- A segment is a name for a predicate. Its versions are never changed: a release names the one that was asked.
CREATE TABLE segment (
    segment_id  uuid NOT NULL,
    version     integer NOT NULL CHECK (version > 0),
    name        text NOT NULL,
    description text NOT NULL,
    predicate   jsonb NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (segment_id, version)
);

-- What was told of groups of people, and what it cost: the privacy budget of a client for a purpose in a window is the sum of epsilon. Counts in an
-- answer are noisy. A row is written before its answer is given and never changed. The question is a hash; the answer may be
-- given again to the same question while the data (data_version) is unchanged and nothing has changed by itself (valid_until).
CREATE TABLE release (
    release_id      uuid PRIMARY KEY,
    client          text NOT NULL,
    purpose         text NOT NULL,
    window_start    timestamptz NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('count', 'breakdown', 'overlap', 'report', 'activation')),
    question        bytea NOT NULL CHECK (octet_length(question) = 32),
    segment_id      uuid,
    segment_version integer,
    revision_id     text NOT NULL,
    epsilon_milli   bigint NOT NULL CHECK (epsilon_milli > 0),
    data_version    bigint NOT NULL,
    valid_until     timestamptz,
    answer          jsonb NOT NULL,
    released_at     timestamptz NOT NULL
);
CREATE INDEX release_budget ON release (client, purpose, window_start);
CREATE INDEX release_question ON release (client, purpose, question, released_at);
CREATE INDEX release_segment ON release (segment_id, client, purpose, released_at);

-- A campaign: members of a segment disclosed one by one. That is on record in the audit log under the activation's name.
CREATE TABLE activation (
    activation_id   uuid PRIMARY KEY,
    segment_id      uuid NOT NULL,
    segment_version integer NOT NULL,
    client          text NOT NULL,
    purpose         text NOT NULL,
    attributes      text[] NOT NULL,
    started_at      timestamptz NOT NULL
);

GRANT SELECT, INSERT ON segment, release, activation TO consentry_app;
GRANT SELECT ON segment, release, activation TO consentry_reader;
