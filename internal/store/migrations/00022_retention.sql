-- +goose Up
-- Runs of the retention job: what was due, and how much of it was deleted. A run goes through the population in the order of ids and keeps
-- how far it has come, so that whoever takes it over goes on from there. There is no index on when values expire: it would cost every
-- import, to save a daily job some reading.
CREATE TABLE retention_run (
    run_id      uuid PRIMARY KEY,
    dry_run     boolean NOT NULL,
    revision_id text NOT NULL,
    client      text NOT NULL,
    started_at  timestamptz NOT NULL,
    cursor      uuid NOT NULL,
    subjects    bigint NOT NULL DEFAULT 0,
    counts      jsonb NOT NULL DEFAULT '{}',
    finished_at timestamptz
);
-- One at a time: two would count the same values.
CREATE UNIQUE INDEX retention_run_under_way ON retention_run ((finished_at IS NULL)) WHERE finished_at IS NULL;

GRANT SELECT, INSERT, UPDATE ON retention_run TO consentry_app;
GRANT SELECT ON retention_run TO consentry_reader;
