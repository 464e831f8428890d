-- +goose Up
-- Downstream systems that are told of changes. The secret that signs what they are sent is sealed by the
-- keyring, and so is the one before it, which stays valid for a while after it was replaced. One that
-- is no longer used is retired and kept: the record of who was told outlives the relation.
CREATE TABLE processor (
    processor_id  uuid PRIMARY KEY,
    version       bigint NOT NULL CHECK (version > 0),
    name          text NOT NULL,
    contact       text NOT NULL,
    url           text NOT NULL,
    purposes      text[] NOT NULL,
    kinds         text[] NOT NULL,
    country       text NOT NULL,
    agreement     text NOT NULL,
    client        text NOT NULL,
    active        boolean NOT NULL,
    secret        text NOT NULL,
    former_secret text,
    former_until  timestamptz,
    created_by    text NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    retired_at    timestamptz
);

-- How far the log has been gone through for a processor, and until when somebody can be expected to
-- be at it: a job at work or on its way has said so, and when that time is well past, it was lost.
CREATE TABLE dispatch (
    processor_id uuid PRIMARY KEY,
    cursor       bigint NOT NULL CHECK (cursor >= 0),
    expected_at  timestamptz
);

-- What is to be told to whom, by place in the log. The events of one subject are told in order: one that
-- waits to be tried again holds back those after it.
CREATE TABLE delivery (
    processor_id  uuid NOT NULL,
    index         bigint NOT NULL,
    subject_id    uuid NOT NULL,
    state         text NOT NULL CHECK (state IN ('pending', 'delivered', 'dead', 'dropped')),
    attempts      integer NOT NULL,
    refusals      integer NOT NULL,
    next_at       timestamptz NOT NULL,
    failing_since timestamptz,
    status        smallint NOT NULL,
    problem       text NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (processor_id, index)
);
CREATE INDEX delivery_pending ON delivery (processor_id, index) WHERE state = 'pending';
CREATE INDEX delivery_lane ON delivery (processor_id, subject_id, index) WHERE state = 'pending';
CREATE INDEX delivery_dead ON delivery (processor_id, index) WHERE state = 'dead';
CREATE INDEX delivery_done ON delivery (updated_at) WHERE state IN ('delivered', 'dropped');

GRANT SELECT, INSERT, UPDATE ON processor, dispatch TO consentry_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON delivery TO consentry_app;
-- The sealed secrets are nobody's business who only reads.
GRANT SELECT (processor_id, version, name, contact, url, purposes, kinds, country, agreement, client, active,
    created_by, created_at, updated_at, retired_at) ON processor TO consentry_reader;
GRANT SELECT ON dispatch, delivery TO consentry_reader;

-- The queue of jobs is River's, and made by River's own migrations, which run before these.
GRANT SELECT, INSERT, UPDATE, DELETE ON river_job, river_leader, river_queue TO consentry_app;
GRANT USAGE ON SEQUENCE river_job_id_seq TO consentry_app;
